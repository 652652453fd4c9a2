#include "runtime/weights/checkpoint.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"
#include "runtime/base/strict_json.h"
#include "runtime/tensor/dtype.h"

namespace shoal {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxIndexBytes = uint64_t{64} << 20;
constexpr size_t kMaxShardName = 128;

bool Exists(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0;
}

absl::Status Bad(absl::string_view file, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(file, ": ", why));
}

absl::StatusOr<json> ReadJson(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadSmallFile(path, kMaxIndexBytes));
  return ParseStrictJson(text, path);
}

// The member `key` of `object` as an object whose values are strings.
absl::StatusOr<const json*> StringMap(const json& object, const std::string& key,
                                      absl::string_view file) {
  if (!object.is_object())
    return Bad(file, absl::StrCat("the document is ", ShownJson(object), ", not an object"));
  if (!object.contains(key)) return Bad(file, absl::StrCat(key, " is missing"));
  if (!object[key].is_object())
    return Bad(file, absl::StrCat(key, " is ", ShownJson(object[key]), ", not an object"));
  for (const auto& [name, value] : object[key].items()) {
    if (!value.is_string()) {
      return Bad(file,
                 absl::StrCat(key, ".", Shown(name), " is ", ShownJson(value), ", not a string"));
    }
  }
  return &object[key];
}

bool IsSha256Hex(absl::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

bool IsPlainShardName(absl::string_view name) {
  const auto plain = [](char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
  };
  return name.size() <= kMaxShardName && absl::EndsWith(name, ".safetensors") &&
         name.front() != '.' && std::all_of(name.begin(), name.end(), plain);
}

absl::StatusOr<Checkpoint> Checkpoint::Open(const std::string& folder) {
  Checkpoint checkpoint;
  checkpoint.folder_ = folder;
  const bool single = Exists(absl::StrCat(folder, "/", kSingleFile));
  const bool index = Exists(absl::StrCat(folder, "/", kIndexFile));
  if (single && index) {
    return Bad(folder, absl::StrCat("holds both ", kSingleFile, " and ", kIndexFile,
                                    "; which one is meant?"));
  }
  if (!single && !index) {
    return absl::NotFoundError(
        absl::StrCat(folder, " holds neither ", kSingleFile, " nor ", kIndexFile));
  }
  RETURN_IF_ERROR(single ? checkpoint.AddShard(std::string(kSingleFile)) : checkpoint.ReadIndex());
  RETURN_IF_ERROR(checkpoint.ReadDigests());
  return checkpoint;
}

absl::Status Checkpoint::ReadIndex() {
  const std::string path = absl::StrCat(folder_, "/", kIndexFile);
  ASSIGN_OR_RETURN(const json index, ReadJson(path));
  ASSIGN_OR_RETURN(const json* const weight_map, StringMap(index, "weight_map", path));
  for (const auto& [key, value] : index.items()) {
    if (key != "weight_map" && key != "metadata")
      return Bad(
          path, absl::StrCat(Shown(key), " is ", ShownJson(value), ", but no such field is known"));
  }

  std::set<std::string> names;
  for (const auto& [tensor, shard] : weight_map->items()) {
    const std::string& name = shard.get_ref<const std::string&>();
    if (!IsPlainShardName(name)) {
      return Bad(path,
                 absl::StrCat("weight_map.", Shown(tensor), " is ", ShownJson(shard),
                              ", not the plain name of a ", ".safetensors file in this folder"));
    }
    names.insert(name);
  }
  std::vector<std::string> shard_names(names.begin(), names.end());
  for (const std::string& name : shard_names) RETURN_IF_ERROR(AddShard(name));

  uint64_t total = 0, elements = 0;
  for (const auto& [name, entry] : entries_) {
    total += entry.tensor.bytes;
    elements += entry.tensor.bytes / SizeOf(entry.tensor.dtype);
    if (!weight_map->contains(name)) {
      return Bad(path, absl::StrCat("weight_map lacks ", Shown(name), ", which ",
                                    shard_names[entry.shard], " holds"));
    }
  }
  for (const auto& [name, shard] : weight_map->items()) {
    const auto found = entries_.find(name);
    if (found == entries_.end() || shard != shard_names[found->second.shard]) {
      return Bad(path, absl::StrCat(
                           "weight_map.", Shown(name), " is ", ShownJson(shard), ", but ",
                           found == entries_.end() ? "no shard" : shard_names[found->second.shard],
                           " holds it"));
    }
  }
  const json metadata = index.value("metadata", json::object());
  if (!metadata.is_object())
    return Bad(path, absl::StrCat("metadata is ", ShownJson(metadata), ", not an object"));
  const json stated = metadata.value("total_size", json(total));
  // DeepSeek's own index of V3 counts two bytes for every element, whatever its type.
  const bool right = stated.is_number_unsigned() &&
                     (stated.get<uint64_t>() == total || stated.get<uint64_t>() == 2 * elements);
  if (!right) {
    return Bad(path, absl::StrCat("metadata.total_size is ", ShownJson(stated),
                                  ", but the shards hold ", total, " bytes of tensors"));
  }
  return absl::OkStatus();
}

absl::Status Checkpoint::AddShard(const std::string& name) {
  const std::string path = absl::StrCat(folder_, "/", name);
  ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open(path));
  const int32_t shard = static_cast<int32_t>(shards_.size());
  for (const StoredTensor& tensor : file.tensors()) {
    const auto [at, is_new] = entries_.try_emplace(tensor.name, Entry{tensor, shard, ""});
    if (!is_new) {
      return Bad(path, absl::StrCat("tensor ", Shown(tensor.name), " is also in ",
                                    this->file(at->second.shard).path()));
    }
  }
  shards_.push_back(std::move(file));
  return absl::OkStatus();
}

absl::Status Checkpoint::ReadDigests() {
  const std::string path = absl::StrCat(folder_, "/", kDigestsFile);
  if (!Exists(path)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const json document, ReadJson(path));
  ASSIGN_OR_RETURN(const json* const digests, StringMap(document, "sha256", path));
  for (const auto& [key, value] : document.items()) {
    if (key != "sha256") {
      return Bad(
          path, absl::StrCat(Shown(key), " is ", ShownJson(value), ", but no such field is known"));
    }
  }
  for (const auto& [name, digest] : digests->items()) {
    if (!IsSha256Hex(digest.get_ref<const std::string&>())) {
      return Bad(path, absl::StrCat("sha256.", Shown(name), " is ", ShownJson(digest),
                                    ", not 64 lower-case hex digits"));
    }
    if (!entries_.contains(name))
      return Bad(path, absl::StrCat("sha256.", Shown(name), " is of no tensor in this folder"));
  }
  for (auto& [name, entry] : entries_) {
    if (!digests->contains(name))
      return Bad(path, absl::StrCat("sha256 lacks tensor ", Shown(name)));
    entry.sha256 = (*digests)[name].get<std::string>();
  }
  return absl::OkStatus();
}

}  // namespace shoal
