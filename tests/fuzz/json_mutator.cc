#include "tests/fuzz/json_mutator.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace shoal::fuzz {
namespace {

using nlohmann::json;

// Deeper documents are left to libFuzzer: reading and writing them takes a call for each level.
constexpr int kMaxDepth = 32;

bool IsDeep(absl::string_view text) {
  int depth = 0, deepest = 0;
  for (const char c : text) {
    depth += (c == '[' || c == '{') - (c == ']' || c == '}');
    deepest = std::max(deepest, depth);
  }
  return deepest > kMaxDepth;
}

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  void Change(json& document) {
    std::vector<json*> values;
    Collect(document, values);
    json& value = *values[Below(values.size())];
    const json other = *values[Below(values.size())];
    switch (Below(5)) {
      case 0:
        value = Unusual();
        break;
      case 1:
        value = other;
        break;
      case 2:
        Remove(value);
        break;
      case 3:
        Insert(value, other);
        break;
      default:
        Bend(value);
    }
  }

 private:
  size_t Below(size_t n) { return random_() % n; }

  static void Collect(json& value, std::vector<json*>& values) {
    values.push_back(&value);
    if (!value.is_structured()) return;
    for (json& child : value) Collect(child, values);
  }

  json Unusual() {
    const std::vector<json> all = {
        nullptr, true,          false,         0,          1,         -1,        0.5,        1.0,
        1e300,   INT32_MAX,     UINT32_MAX,    1ull << 32, INT64_MAX, INT64_MIN, UINT64_MAX, "",
        "x",     json::array(), json::object()};
    return all[Below(all.size())];
  }

  std::string KeyOf(const json& object) {
    auto member = object.begin();
    std::advance(member, static_cast<int>(Below(object.size())));
    return member.key();
  }

  void Remove(json& value) {
    if (value.empty() || !value.is_structured()) {
      value = Unusual();
    } else if (value.is_array()) {
      value.erase(Below(value.size()));
    } else {
      value.erase(KeyOf(value));
    }
  }

  void Insert(json& value, const json& other) {
    if (value.is_array()) {
      value.push_back(other);
    } else if (value.is_object() && !value.empty()) {
      // Beside the key that it resembles, or in its place.
      value[Below(2) == 0 ? KeyOf(value) : Bent(KeyOf(value))] = other;
    } else {
      value = other;
    }
  }

  std::string Bent(std::string text) {
    static constexpr char kBytes[] =
        "/.\\ \n\x7f"
        "0aZ\0";
    const char byte = kBytes[Below(sizeof(kBytes) - 1)];
    const size_t at = Below(text.size() + 1);
    if (Below(3) == 0 && !text.empty()) {
      text.erase(std::min(at, text.size() - 1), 1);
    } else {
      text.insert(at, 1, byte);
    }
    return text;
  }

  void Bend(json& value) {
    if (value.is_string()) {
      value = Bent(value.get<std::string>());
    } else if (value.is_number_integer()) {
      const uint64_t n = value.get<uint64_t>();
      const uint64_t bent[] = {n + 1, n - 1, 2 * n, n << 32, n << 48, n / 2, random_()};
      value = bent[Below(std::size(bent))];
    } else if (value.is_number()) {
      value = value.get<double>() * 2;
    } else {
      value = Unusual();
    }
  }

  std::minstd_rand random_;
};

}  // namespace

std::string MutateJson(absl::string_view text, unsigned seed) {
  if (IsDeep(text)) return "";
  json document = json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) return "";
  Mutator mutator(seed);
  for (unsigned changes = 1 + seed % 3; changes > 0; --changes) mutator.Change(document);
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

size_t Replace(uint8_t* data, size_t size, size_t max_size, absl::string_view input) {
  if (input.empty() || input.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, input.data(), input.size());
  return input.size();
}

std::string MutatePart(absl::string_view input, size_t begin, size_t end, unsigned seed) {
  const std::string part = MutateJson(input.substr(begin, end - begin), seed);
  return part.empty() ? part : absl::StrCat(input.substr(0, begin), part, input.substr(end));
}

size_t MutateInput(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  return Replace(data, size, max_size, seed % 4 == 0 ? "" : MutateJson(input, seed / 4));
}

}  // namespace shoal::fuzz
