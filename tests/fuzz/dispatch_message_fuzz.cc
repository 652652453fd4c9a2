// Input: four bytes of limits, then the message of a peer.
//
// Accepted means: every number in it is within the limits, and writing down what was read gives the
// same bytes.

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "runtime/base/check.h"
#include "runtime/moe/dispatch_message.h"
#include "tests/fuzz/fuzz.h"

namespace shoal {
namespace {

// Of exactly so many bytes, aligned as messages are.
class Buffer {
 public:
  explicit Buffer(size_t size) : size_(size) {
    CHECK_EQ(posix_memalign(&data_, 64, std::max<size_t>(size, 1)), 0);
  }
  ~Buffer() { std::free(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  std::byte* data() { return static_cast<std::byte*>(data_); }
  ConstBytes bytes() const { return ConstBytes(static_cast<const std::byte*>(data_), size_); }

 private:
  void* data_ = nullptr;
  const size_t size_;
};

void CheckAccepted(const DispatchMessage& message, ConstBytes bytes, const DispatchLimits& limits) {
  DispatchWriter writer;
  size_t pairs = 0;
  for (int64_t row = 0; row < message.rows(); ++row) {
    const int count = message.counts()[static_cast<size_t>(row)];
    CHECK(count >= 1 && count <= limits.top_k);
    for (int i = 0; i < count; ++i) writer.Count(row);
    pairs += static_cast<size_t>(count);
  }
  CHECK_EQ(pairs, message.slots().size());
  Buffer written(writer.MessageBytes(limits.row_bytes));
  writer.Start(written.data(), limits.layer, limits.row_bytes);
  size_t pair = 0;
  for (int64_t row = 0; row < message.rows(); ++row) {
    for (int i = 0; i < message.counts()[static_cast<size_t>(row)]; ++i) {
      const int slot = message.slots()[pair++];
      CHECK_LT(slot, limits.slots);
      writer.Add(row, slot, message.row(row), limits.row_bytes);
    }
  }
  CHECK_EQ(writer.message().size(), bytes.size());
  CHECK(std::equal(bytes.begin(), bytes.end(), writer.message().begin()));
}

}  // namespace
}  // namespace shoal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  shoal::fuzz::Input input(data, size);
  shoal::DispatchLimits limits;
  limits.layer = input.Byte();
  limits.slots = 1 + input.Byte();
  limits.top_k = 1 + input.Byte() % 16;
  limits.row_bytes = 1 + input.Byte();
  const absl::string_view rest = input.Rest();
  shoal::Buffer message(rest.size());
  if (!rest.empty()) std::memcpy(message.data(), rest.data(), rest.size());
  const auto parsed = shoal::DispatchMessage::Parse(message.bytes(), limits);
  if (parsed.ok()) {
    shoal::CheckAccepted(*parsed, message.bytes(), limits);
  } else {
    shoal::fuzz::CheckRefusal(parsed.status(), "dispatch: ");
  }
  return 0;
}
