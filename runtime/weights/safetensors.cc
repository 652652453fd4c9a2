#include "runtime/weights/safetensors.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "runtime/base/status_macros.h"
#include "runtime/base/strict_json.h"

namespace shoal {
namespace {

using nlohmann::json;

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeader = uint64_t{64} << 20;
constexpr size_t kMaxRank = 8;

std::optional<DType> AllowedDType(const json& name) {
  for (const DType t : {DType::kF32, DType::kBF16, DType::kF8E4M3}) {
    if (name == std::string(DTypeName(t))) return t;
  }
  return std::nullopt;
}

absl::Status Bad(const std::string& name, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("tensor ", Shown(name), ": ", why));
}

// `value` as an array of unsigned numbers.
std::optional<std::vector<uint64_t>> UnsignedArray(const json& value) {
  if (!value.is_array()) return std::nullopt;
  std::vector<uint64_t> out;
  for (const json& v : value) {
    if (!v.is_number_unsigned()) return std::nullopt;
    out.push_back(v.get<uint64_t>());
  }
  return out;
}

// Bytes of a tensor of `shape`; nullopt when they do not fit 63 bits.
std::optional<uint64_t> ShapeBytes(absl::Span<const uint64_t> shape, DType dtype) {
  int64_t bytes = static_cast<int64_t>(SizeOf(dtype));
  for (const uint64_t dim : shape) {
    if (dim > INT64_MAX || __builtin_mul_overflow(bytes, static_cast<int64_t>(dim), &bytes))
      return std::nullopt;
  }
  return static_cast<uint64_t>(bytes);
}

absl::StatusOr<StoredTensor> ParseTensor(const std::string& name, const json& entry,
                                         uint64_t data_bytes) {
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") ||
      !entry.contains("shape") || !entry.contains("data_offsets")) {
    return Bad(name, absl::StrCat("its entry is ", ShownJson(entry),
                                  ", not an object of dtype, shape and data_offsets alone"));
  }
  const std::optional<DType> dtype = AllowedDType(entry["dtype"]);
  if (!dtype.has_value()) {
    return Bad(name, absl::StrCat("dtype is ", ShownJson(entry["dtype"]),
                                  ", not one of F32, BF16, F8_E4M3"));
  }
  const auto shape = UnsignedArray(entry["shape"]);
  if (!shape.has_value() || shape->size() > kMaxRank) {
    return Bad(name, absl::StrCat("shape is ", ShownJson(entry["shape"]),
                                  ", not an array of at most ", kMaxRank, " unsigned numbers"));
  }
  const auto range = UnsignedArray(entry["data_offsets"]);
  if (!range.has_value() || range->size() != 2) {
    return Bad(name, absl::StrCat("data_offsets is ", ShownJson(entry["data_offsets"]),
                                  ", not two unsigned numbers"));
  }
  const uint64_t begin = (*range)[0], end = (*range)[1];
  if (begin > end || end > data_bytes) {
    return Bad(name, absl::StrCat("data_offsets are [", begin, ", ", end, "], but the file has ",
                                  data_bytes, " bytes of data"));
  }
  const std::optional<uint64_t> bytes = ShapeBytes(*shape, *dtype);
  if (!bytes.has_value() || *bytes != end - begin) {
    const std::string takes = bytes.has_value() ? absl::StrCat(*bytes) : "more than 2^63";
    return Bad(name, absl::StrCat("shape [", absl::StrJoin(*shape, ", "), "] of ",
                                  ShownJson(entry["dtype"]), " takes ", takes,
                                  " bytes, but its range has ", end - begin));
  }
  StoredTensor tensor{name, *dtype, {}, begin, *bytes};
  tensor.shape.assign(shape->begin(), shape->end());
  return tensor;
}

// Free-form strings, which nobody here reads; still they must be what the format says.
absl::Status CheckMetadata(const json& metadata) {
  if (!metadata.is_object())
    return absl::InvalidArgumentError(
        absl::StrCat("__metadata__ is ", ShownJson(metadata), ", not an object"));
  for (const auto& [key, value] : metadata.items()) {
    if (!value.is_string())
      return absl::InvalidArgumentError(
          absl::StrCat("__metadata__.", Shown(key), " is ", ShownJson(value), ", not a string"));
  }
  return absl::OkStatus();
}

// Sorted by range, the tensors must tile [0, data_bytes).
absl::Status CheckTiling(absl::Span<const StoredTensor> tensors, uint64_t data_bytes) {
  uint64_t at = 0;
  for (const StoredTensor& t : tensors) {
    if (t.offset != at) {
      return Bad(t.name, absl::StrCat("its data begins at ", t.offset,
                                      ", but the data before it ends at ", at));
    }
    at += t.bytes;
  }
  if (at != data_bytes) {
    return absl::InvalidArgumentError(absl::StrCat("the tensors end at byte ", at,
                                                   " of the data, but the file has ", data_bytes));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<StoredTensor>> ParseHeader(absl::string_view header,
                                                      uint64_t data_bytes) {
  if (header.empty() || header.front() != '{') {
    return absl::InvalidArgumentError(
        absl::StrCat("the header begins with \"", Shown(header.substr(0, 1)), "\", not with {"));
  }
  ASSIGN_OR_RETURN(const json document, ParseStrictJson(header, "header"));
  std::vector<StoredTensor> tensors;
  for (const auto& [name, entry] : document.items()) {
    if (name == "__metadata__") {
      RETURN_IF_ERROR(CheckMetadata(entry));
      continue;
    }
    ASSIGN_OR_RETURN(StoredTensor tensor, ParseTensor(name, entry, data_bytes));
    tensors.push_back(std::move(tensor));
  }
  // An empty tensor shares its offset with its successor.
  std::sort(tensors.begin(), tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
  });
  RETURN_IF_ERROR(CheckTiling(tensors, data_bytes));
  return tensors;
}

}  // namespace

std::string ShapeText(absl::Span<const int64_t> shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

absl::StatusOr<SafetensorsFile> SafetensorsFile::Open(const std::string& path) {
  ASSIGN_OR_RETURN(InputFile file, InputFile::Open(path));
  if (file.size() < kLengthBytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", file.size(),
                                                   " bytes are too few for the ", kLengthBytes,
                                                   " of the header length"));
  }
  std::byte raw[kLengthBytes];
  RETURN_IF_ERROR(file.Read(0, raw));
  uint64_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) length |= std::to_integer<uint64_t>(raw[i]) << (8 * i);
  const uint64_t limit = std::min(kMaxHeader, file.size() - kLengthBytes);
  if (length > limit) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": the header claims ", length,
                                                   " bytes, but at most ", limit,
                                                   " are possible in a file of ", file.size()));
  }
  std::string header(length, '\0');
  RETURN_IF_ERROR(
      file.Read(kLengthBytes, {reinterpret_cast<std::byte*>(header.data()), header.size()}));
  const uint64_t data_begin = kLengthBytes + length;
  absl::StatusOr<std::vector<StoredTensor>> tensors = ParseHeader(header, file.size() - data_begin);
  if (!tensors.ok()) return Annotate(tensors.status(), path);
  for (StoredTensor& t : *tensors) t.offset += data_begin;
  return SafetensorsFile(std::move(file), *std::move(tensors));
}

}  // namespace shoal
