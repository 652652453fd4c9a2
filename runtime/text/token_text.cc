#include "runtime/text/token_text.h"

#include <array>
#include <cstring>

#include "runtime/text/utf8.h"

namespace shoal {
namespace {

// Every token's bytes are copied so many at a time: nearly all have fewer.
constexpr size_t kSlack = 16;

}  // namespace

TokenText::TokenText(const std::vector<std::string>& bytes) {
  for (const std::string& token : bytes) {
    places_.push_back({static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(token.size()),
                       CheckUtf8(token).ok()});
    bytes_ += token;
  }
  places_.push_back({0, 0, true});
  bytes_.append(kSlack, '\0');
}

size_t TokenText::Append(absl::Span<const TokenId> ids, std::string* text) const {
  std::array<Place, 256> places;
  size_t whole = 0;
  bool is_whole = true;
  while (!ids.empty()) {
    const absl::Span<const TokenId> now = ids.subspan(0, places.size());
    size_t size = 0;
    for (size_t i = 0; i < now.size(); ++i) {
      places[i] = PlaceOf(now[i]);
      is_whole &= places[i].is_whole;
      whole += is_whole ? places[i].size : 0;
      size += places[i].size;
    }
    const size_t before = text->size();
    text->resize(before + size + kSlack);
    char* to = text->data() + before;
    for (size_t i = 0; i < now.size(); ++i) {
      const char* const from = bytes_.data() + places[i].begin;
      std::memcpy(to, from, kSlack);
      if (places[i].size > kSlack) std::memcpy(to, from, places[i].size);
      to += places[i].size;
    }
    text->resize(before + size);
    ids.remove_prefix(now.size());
  }
  return whole;
}

}  // namespace shoal
