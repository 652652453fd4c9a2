// What every token stands for, laid out for streaming.

#ifndef SHOAL_RUNTIME_TEXT_TOKEN_TEXT_H_
#define SHOAL_RUNTIME_TEXT_TOKEN_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "runtime/base/token_id.h"

namespace shoal {

// All bytes in one string, and beside a token's place in it whether they are
// whole UTF-8 by themselves, which nearly every token's are.
//
// Immutable once made, therefore thread-safe.
class TokenText {
 public:
  // `bytes[id]`: of all tokens together less than 2^32.
  explicit TokenText(const std::vector<std::string>& bytes);

  // Empty for an id that names no token.
  absl::string_view BytesOf(TokenId id) const {
    const Place place = PlaceOf(id);
    return absl::string_view(bytes_.data() + place.begin, place.size);
  }

  // Whether its bytes are whole UTF-8 by themselves.
  bool IsWhole(TokenId id) const { return PlaceOf(id).is_whole; }

  // Appends the bytes of all ids. Returns how many of these bytes, from the
  // first on, come from tokens that are whole UTF-8.
  size_t Append(absl::Span<const TokenId> ids, std::string* text) const;

  // One more than the greatest id.
  size_t size() const { return places_.size() - 1; }

 private:
  struct Place {
    uint32_t begin;
    uint32_t size : 31;
    uint32_t is_whole : 1;
  };
  Place PlaceOf(TokenId id) const {
    const size_t at = static_cast<uint32_t>(id);  // a negative one is beyond all
    return places_[at < size() ? at : size()];
  }

  std::string bytes_;          // and kSlack more
  std::vector<Place> places_;  // by id, and an empty one for those that name no token
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_TOKEN_TEXT_H_
