#include "runtime/moe/dispatch_message.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

static_assert(std::endian::native == std::endian::little, "the wire is little endian");

struct Header {
  uint32_t layer, rows, pairs, row_bytes;
};
static_assert(sizeof(Header) == 16);

// Where the activations begin.  The numbers come from 32 bits, so the sum cannot overflow.
uint64_t DataOffset(uint64_t rows, uint64_t pairs) {
  return (sizeof(Header) + 2 * rows + 2 * pairs + 63) / 64 * 64;
}

template <typename A, typename B>
absl::Status Disagree(absl::string_view what, const A& got, absl::string_view than,
                      const B& expected) {
  return absl::InvalidArgumentError(
      absl::StrCat("dispatch: ", what, " ", got, ", ", than, " ", expected));
}

}  // namespace

size_t DispatchWriter::MessageBytes(size_t row_bytes) const {
  return rows_ == 0 ? 0 : DataOffset(rows_, pairs_) + static_cast<size_t>(rows_) * row_bytes;
}

void DispatchWriter::Start(std::byte* to, int layer, size_t row_bytes) {
  last_token_ = -1;
  if (rows_ == 0) return;
  const Header header = {.layer = static_cast<uint32_t>(layer),
                         .rows = static_cast<uint32_t>(rows_),
                         .pairs = static_cast<uint32_t>(pairs_),
                         .row_bytes = static_cast<uint32_t>(row_bytes)};
  std::memcpy(to, &header, sizeof(header));
  count_ = reinterpret_cast<uint16_t*>(to + sizeof(header));
  slot_ = count_ + rows_;
  row_ = to + DataOffset(rows_, pairs_);
  std::byte* const gap = reinterpret_cast<std::byte*>(slot_ + pairs_);
  std::memset(gap, 0, row_ - gap);
  message_ = ConstBytes(to, MessageBytes(row_bytes));
}

void DispatchWriter::Add(int64_t token, int32_t slot, const std::byte* row, size_t row_bytes) {
  if (token != last_token_) {
    *count_++ = 0;
    std::memcpy(row_, row, row_bytes);
    row_ += row_bytes;
    last_token_ = token;
  }
  ++count_[-1];
  *slot_++ = static_cast<uint16_t>(slot);
}

absl::StatusOr<DispatchMessage> DispatchMessage::Parse(ConstBytes bytes,
                                                       const DispatchLimits& limits) {
  DispatchMessage m;
  if (bytes.empty()) return m;
  Header header;
  if (bytes.size() < sizeof(header))
    return Disagree("length", bytes.size(), "less than a header of", sizeof(header));
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.layer != static_cast<uint32_t>(limits.layer)) {
    return Disagree("layer", header.layer, "not", limits.layer);
  }
  if (header.row_bytes != limits.row_bytes)
    return Disagree("row bytes", header.row_bytes, "not", limits.row_bytes);
  const uint64_t offset = DataOffset(header.rows, header.pairs);
  if (header.rows == 0 || header.rows > bytes.size() / limits.row_bytes || offset > bytes.size() ||
      offset + header.rows * limits.row_bytes != bytes.size()) {
    return Disagree("length", bytes.size(), "not what these rows and pairs need:",
                    absl::StrCat(header.rows, ", ", header.pairs));
  }
  const auto* numbers = reinterpret_cast<const uint16_t*>(bytes.data() + sizeof(header));
  m.counts_ = absl::MakeConstSpan(numbers, header.rows);
  m.slots_ = absl::MakeConstSpan(numbers + header.rows, header.pairs);
  m.data_ = bytes.data() + offset;
  m.row_bytes_ = limits.row_bytes;
  if (absl::Status ok = m.CheckSlots(limits); !ok.ok()) return ok;
  const auto* gap =
      reinterpret_cast<const std::byte*>(numbers + header.rows + uint64_t{header.pairs});
  const auto* const stray =
      std::find_if(gap, m.data_, [](std::byte b) { return b != std::byte{}; });
  if (stray != m.data_)
    return Disagree("byte", std::to_integer<int>(*stray), "before the rows, not", 0);
  return m;
}

absl::Status DispatchMessage::CheckSlots(const DispatchLimits& limits) const {
  const int most = std::min(limits.top_k, limits.slots);
  size_t pair = 0;
  for (const uint16_t count : counts_) {
    if (count < 1 || count > most) return Disagree("slots of a row", count, "not from 1 to", most);
    if (pair + count > slots_.size())
      return Disagree("pairs", slots_.size(), "less than the sum of counts", pair + count);
    const absl::Span<const uint16_t> slots = slots_.subspan(pair, count);
    for (size_t i = 0; i < slots.size(); ++i) {
      if (slots[i] >= limits.slots) return Disagree("slot", slots[i], "not below", limits.slots);
      if (std::find(slots.begin(), slots.begin() + i, slots[i]) != slots.begin() + i) {
        return Disagree("slot", slots[i], "named twice in a row of", count);
      }
    }
    pair += count;
  }
  if (pair != slots_.size()) return Disagree("pairs", slots_.size(), "not the sum of counts", pair);
  return absl::OkStatus();
}

}  // namespace shoal
