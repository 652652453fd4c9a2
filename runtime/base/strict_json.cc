#include "runtime/base/strict_json.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

using nlohmann::json;

// Builds the document event by event, and stops at the first thing that is not allowed.
class Builder : public nlohmann::json_sax<json> {
 public:
  explicit Builder(int max_depth) : max_depth_(max_depth) {}

  json document;
  std::string error;

  bool null() override { return Put(nullptr) != nullptr; }
  bool boolean(bool v) override { return Put(v) != nullptr; }
  bool number_integer(int64_t v) override { return Put(v) != nullptr; }
  bool number_unsigned(uint64_t v) override { return Put(v) != nullptr; }
  bool number_float(double v, const std::string&) override { return Put(v) != nullptr; }
  bool string(std::string& v) override { return Put(std::move(v)) != nullptr; }
  bool binary(binary_t&) override { return Fail("binary value"); }

  bool start_object(size_t) override { return Open(json::object()); }
  bool start_array(size_t) override { return Open(json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(std::string& name) override {
    const auto [member, is_new] = open_.back()->emplace(name, nullptr);
    if (!is_new) return Fail(absl::StrCat("key \"", Shown(name), "\" stands twice in one object"));
    member_ = &*member;
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    return Fail(absl::StrCat("not JSON at byte ", position));
  }

 private:
  bool Fail(std::string why) {
    if (error.empty()) error = std::move(why);
    return false;
  }

  json* Put(json value) {
    if (open_.empty()) {
      document = std::move(value);
      return &document;
    }
    json& parent = *open_.back();
    if (parent.is_array()) return &parent.emplace_back(std::move(value));
    return &(*member_ = std::move(value));
  }

  bool Open(json container) {
    if (static_cast<int>(open_.size()) == max_depth_) {
      return Fail(absl::StrCat("nested deeper than ", max_depth_, " levels"));
    }
    open_.push_back(Put(std::move(container)));
    return true;
  }

  bool Close() {
    open_.pop_back();
    return true;
  }

  const int max_depth_;
  std::vector<json*> open_;  // a parent never moves while a child is open
  json* member_ = nullptr;   // of the innermost object: the key whose value comes next
};

// Whether `text` is UTF-8 in which nothing beyond ASCII controls a terminal or breaks a line.
bool IsQuietUtf8(absl::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const size_t n = lead < 0x80   ? 1
                     : lead < 0xC2 ? 0
                     : lead < 0xE0 ? 2
                     : lead < 0xF0 ? 3
                     : lead < 0xF5 ? 4
                                   : 0;
    if (n == 0 || text.size() - i < n) return false;
    uint32_t code = n == 1 ? lead : lead & (0x7Fu >> n);
    for (size_t k = 1; k < n; ++k) {
      if ((text[i + k] & 0xC0) != 0x80) return false;
      code = code << 6 | (text[i + k] & 0x3Fu);
    }
    const bool control = (code >= 0x80 && code < 0xA0) || code == 0x2028 || code == 0x2029;
    const bool overlong = (n == 3 && code < 0x800) || (n == 4 && code < 0x10000);
    const bool surrogate = code >= 0xD800 && code < 0xE000;
    if (control || overlong || surrogate || code > 0x10FFFF) return false;
    i += n;
  }
  return true;
}

// Cut where no character is torn apart.
std::string Cut(std::string text) {
  constexpr size_t kLongest = 120;
  if (text.size() <= kLongest) return text;
  size_t end = kLongest;
  while (end > 0 && (text[end] & 0xC0) == 0x80) --end;
  return absl::StrCat(text.substr(0, end), "... (", text.size(), " bytes)");
}

}  // namespace

std::string Shown(absl::string_view text) {
  return Cut(IsQuietUtf8(text) ? absl::Utf8SafeCHexEscape(text) : absl::CHexEscape(text));
}

std::string ShownJson(const json& value) {
  return Cut(value.dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace));
}

absl::StatusOr<json> ParseStrictJson(absl::string_view text, absl::string_view what,
                                     int max_depth) {
  Builder builder(max_depth);
  if (!json::sax_parse(text, &builder)) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": ", builder.error));
  }
  return std::move(builder.document);
}

}  // namespace shoal
