// Input: a model.safetensors.index.json; after a zero byte, where there is one, a digests.json.
//
// Beside them lie three shards, one of which repeats a tensor of another, and above and below the
// folder lie files that the index must not reach.  Accepted means: the index is exactly what the
// shards that it names hold.

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "runtime/base/check.h"
#include "runtime/weights/checkpoint.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_mutator.h"

namespace shoal {
namespace {

void WriteFile(const std::string& path, absl::string_view content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

// `entries` is the inside of the header, for four bytes of data.
void WriteShard(const std::string& path, const std::string& entries) {
  const std::string header = absl::StrCat("{", entries, "}");
  std::string file(8, '\0');
  file[0] = static_cast<char>(header.size());
  WriteFile(path, absl::StrCat(file, header, "data"));
}

// TMPDIR/fuzz_XXXXXX/model with its shards, below and beside which lie others.
std::string MakeFolder() {
  std::string root = (std::filesystem::temp_directory_path() / "fuzz_XXXXXX").string();
  CHECK(mkdtemp(root.data()) != nullptr) << root;
  const std::string folder = root + "/model";
  std::filesystem::create_directories(folder + "/sub");
  const std::string a = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  WriteShard(folder + "/1.safetensors", a);
  WriteShard(folder + "/2.safetensors",
             R"("b":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]},)"
             R"("c":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[2,4]})");
  WriteShard(folder + "/3.safetensors", a);
  WriteShard(folder + "/sub/1.safetensors", a);
  WriteShard(root + "/1.safetensors", a);
  return folder;
}

bool IsPlain(absl::string_view name) {
  return absl::EndsWith(name, ".safetensors") && !absl::StrContains(name, '/') &&
         !absl::StrContains(name, '\0') && !absl::StartsWith(name, ".");
}

void CheckAccepted(const Checkpoint& checkpoint, absl::string_view index_text) {
  const nlohmann::json index = nlohmann::json::parse(index_text.begin(), index_text.end());
  const nlohmann::json& weight_map = index.at("weight_map");
  CHECK_EQ(weight_map.size(), checkpoint.entries().size());
  std::set<std::string> shards;
  for (const auto& [name, entry] : checkpoint.entries()) {
    const std::string shard = weight_map.at(name).get<std::string>();
    CHECK(IsPlain(shard));
    CHECK(checkpoint.file(entry.shard).path() == absl::StrCat(checkpoint.folder(), "/", shard));
    CHECK(entry.sha256.empty() || entry.sha256.size() == 64);
    shards.insert(shard);
  }
  // Every tensor of each, so all of 1 or of 3, and both of 2.
  CHECK_EQ(static_cast<int>(shards.size()), checkpoint.shards());
  CHECK(!(shards.contains("1.safetensors") && shards.contains("3.safetensors")));
  CHECK(weight_map.contains("b") == weight_map.contains("c"));
}

void CheckRefused(const absl::Status& refusal, const std::string& folder) {
  const bool found = refusal.code() != absl::StatusCode::kNotFound;
  fuzz::CheckRefusal(refusal, found ? folder : absl::StrCat("cannot open ", folder));
  if (found) return;
  // A file was looked for: one of this folder.
  const absl::string_view name = refusal.message().substr(("cannot open " + folder + "/").size());
  CHECK(IsPlain(name.substr(0, name.find(':')))) << refusal;
}

}  // namespace
}  // namespace shoal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto* const folder = new std::string(shoal::MakeFolder());
  static const auto* const index_path =
      new std::string(absl::StrCat(*folder, "/", shoal::kIndexFile));
  static const auto* const digests_path =
      new std::string(absl::StrCat(*folder, "/", shoal::kDigestsFile));
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = input.find('\0');
  const absl::string_view index = input.substr(0, zero);
  shoal::WriteFile(*index_path, index);
  if (zero == input.npos) {
    unlink(digests_path->c_str());
  } else {
    shoal::WriteFile(*digests_path, input.substr(zero + 1));
  }
  const auto opened = shoal::Checkpoint::Open(*folder);
  if (opened.ok()) {
    shoal::CheckAccepted(*opened, index);
  } else {
    shoal::CheckRefused(opened.status(), *folder);
  }
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  using shoal::fuzz::MutatePart;
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = std::min(input.find('\0'), size);
  std::string changed;
  if (seed % 4 == 1 && zero < size) {
    changed = MutatePart(input, zero + 1, size, seed / 4);
  } else if (seed % 4 != 0) {
    changed = MutatePart(input, 0, zero, seed / 4);
  }
  return shoal::fuzz::Replace(data, size, max_size, changed);
}
