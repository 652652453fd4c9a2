#include "runtime/weights/checkpoint_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "nlohmann/json.hpp"

#include "runtime/base/check.h"
#include "runtime/base/sha256.h"
#include "runtime/base/status_macros.h"
#include "runtime/weights/checkpoint.h"
#include "runtime/weights/file.h"

namespace shoal {
namespace {

using nlohmann::json;

uint64_t BytesOf(const CheckpointWriter::NewTensor& tensor) {
  uint64_t bytes = SizeOf(tensor.dtype);
  for (const int64_t dim : tensor.shape) bytes *= static_cast<uint64_t>(dim);
  return bytes;
}

// Length, header, padding to eight bytes.
std::string HeaderOf(const std::vector<CheckpointWriter::NewTensor>& tensors) {
  json header = json::object();
  header["__metadata__"] = {{"format", "pt"}};
  uint64_t at = 0;
  for (const CheckpointWriter::NewTensor& t : tensors) {
    const uint64_t end = at + BytesOf(t);
    header[t.name] = {{"dtype", std::string(DTypeName(t.dtype))},
                      {"shape", t.shape},
                      {"data_offsets", {at, end}}};
    at = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string out(8, '\0');
  for (int i = 0; i < 8; ++i) out[i] = static_cast<char>(uint64_t{text.size()} >> (8 * i));
  return out + text;
}

absl::Span<const std::byte> AsBytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// A file that gets its name when it is closed well.
class PartialFile {
 public:
  explicit PartialFile(std::string path)
      : path_(std::move(path)), file_(std::fopen(Temporary().c_str(), "wb")) {}
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;
  ~PartialFile() {
    if (file_ == nullptr) return;
    std::fclose(file_);
    std::remove(Temporary().c_str());
  }

  absl::Status Append(absl::Span<const std::byte> bytes) {
    if (file_ != nullptr && std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size()) {
      return absl::OkStatus();
    }
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", Temporary()));
  }

  absl::Status Close() {
    const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
    if (closed && std::rename(Temporary().c_str(), path_.c_str()) == 0) return absl::OkStatus();
    const absl::Status status = absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path_));
    std::remove(Temporary().c_str());
    return status;
  }

 private:
  std::string Temporary() const { return path_ + ".partial"; }
  const std::string path_;
  std::FILE* file_;
};

}  // namespace

absl::Status CheckpointWriter::WriteShard(const std::string& file, std::vector<NewTensor> tensors,
                                          Source data) {
  return StreamShard(file, std::move(tensors), [&](const NewTensor& tensor, Sink sink) {
    const absl::StatusOr<std::vector<std::byte>> bytes = data(tensor);
    return bytes.ok() ? sink(*bytes) : bytes.status();
  });
}

absl::Status CheckpointWriter::StreamShard(const std::string& file, std::vector<NewTensor> tensors,
                                           StreamSource data) {
  // Wide types first, so that every tensor is aligned for its type.
  std::sort(tensors.begin(), tensors.end(), [](const NewTensor& a, const NewTensor& b) {
    return std::tuple(SizeOf(b.dtype), a.name) < std::tuple(SizeOf(a.dtype), b.name);
  });
  PartialFile out(absl::StrCat(folder_, "/", file));
  RETURN_IF_ERROR(out.Append(AsBytes(HeaderOf(tensors))));
  Sha256 sha;
  for (const NewTensor& tensor : tensors) {
    uint64_t bytes = 0;
    RETURN_IF_ERROR(data(tensor, [&](absl::Span<const std::byte> piece) {
      bytes += piece.size();
      if (options_.digests) sha.Update(piece.data(), piece.size());
      return out.Append(piece);
    }));
    if (bytes != BytesOf(tensor)) {
      return absl::InternalError(absl::StrCat("tensor ", tensor.name, " takes ", BytesOf(tensor),
                                              " bytes, but got ", bytes));
    }
    shard_of_[tensor.name] = file;
    if (options_.digests) sha256_of_[tensor.name] = HexOf(sha.Finish());
    bytes_ += bytes;
  }
  return out.Close();
}

absl::Status CheckpointWriter::Finish() {
  const bool indexed = !shard_of_.empty() && shard_of_.begin()->second != kSingleFile;
  if (indexed) {
    const json index = {{"metadata", {{"total_size", bytes_}}}, {"weight_map", shard_of_}};
    RETURN_IF_ERROR(
        WriteFileAtomically(absl::StrCat(folder_, "/", kIndexFile), AsBytes(index.dump(2) + "\n")));
  }
  if (!options_.digests) return absl::OkStatus();
  return WriteFileAtomically(absl::StrCat(folder_, "/", kDigestsFile),
                             AsBytes(DigestsJson(sha256_of_)));
}

std::string CheckpointWriter::Digest() const {
  CHECK(options_.digests);
  Sha256 sha;
  for (const auto& [name, sha256] : sha256_of_) sha.Update(absl::StrCat(name, " ", sha256, "\n"));
  return HexOf(sha.Finish());
}

std::string DigestsJson(const std::map<std::string, std::string>& sha256_of) {
  return json({{"sha256", sha256_of}}).dump(1) + "\n";
}

}  // namespace shoal
