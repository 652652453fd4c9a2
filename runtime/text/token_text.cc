#include "runtime/text/token_text.h"

#include <algorithm>
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

size_t TokenText::AppendWhole(absl::Span<const TokenId> ids, std::string* text) const {
  std::array<Place, 256> places;
  size_t n = 0;
  while (n < ids.size()) {
    size_t count = 0;
    size_t size = 0;
    const size_t most = std::min(places.size(), ids.size() - n);
    while (count < most) {
      const Place place = PlaceOf(ids[n + count]);
      if (!place.is_whole) break;
      places[count++] = place;
      size += place.size;
    }
    const size_t before = text->size();
    text->resize(before + size + kSlack);
    char* to = text->data() + before;
    for (size_t i = 0; i < count; ++i) {
      const char* const from = bytes_.data() + places[i].begin;
      std::memcpy(to, from, kSlack);
      if (places[i].size > kSlack) std::memcpy(to, from, places[i].size);
      to += places[i].size;
    }
    text->resize(before + size);
    n += count;
    if (count < most) break;
  }
  return n;
}

}  // namespace shoal
