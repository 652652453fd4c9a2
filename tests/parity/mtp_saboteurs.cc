#include "tests/parity/mtp_saboteurs.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/types/span.h"

#include "runtime/device/ops.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"
#include "tests/parity/forwarding_ops.h"

namespace shoal {
namespace {

// Of all matmuls, eh_proj alone takes rows twice as wide as it makes, of halves that the module
// normed last.
class HiddenFirst : public ForwardingOps {
 public:
  using ForwardingOps::ForwardingOps;

  void RmsNorm(Tensor x, Tensor gain, float eps, Tensor out) override {
    left_ = right_;
    right_ = out;
    ForwardingOps::RmsNorm(x, gain, eps, out);
  }
  void MatMul(Tensor x, const Weight& w, Tensor out) override {
    const auto half = static_cast<size_t>(x.cols / 2) * SizeOf(x.dtype);
    if (x.data != nullptr && x.data == left_.data && right_.data == x.data + half) {
      std::vector<std::byte> kept(half);
      for (int64_t t = 0; t < x.rows; ++t) {
        std::byte* const row = x.Rows(t, 1).data;
        std::memcpy(kept.data(), row, half);
        std::memcpy(row, row + half, half);
        std::memcpy(row + half, kept.data(), half);
      }
    }
    ForwardingOps::MatMul(x, w, out);
  }

 private:
  Tensor left_, right_;
};

class FirstNotZeroed : public ForwardingOps {
 public:
  using ForwardingOps::ForwardingOps;

  void Embed(absl::Span<const TokenId> ids, Tensor table, Tensor out) override {
    if (table.rows > 1) ForwardingOps::Embed(ids, table, out);
  }
};

// Remembers the residual stream that was normed last: at the end of Forward, by the final norm.
class StreamWatcher : public ForwardingOps {
 public:
  using ForwardingOps::ForwardingOps;

  void AddRmsNorm(Tensor x, Tensor delta, Tensor gain, float eps, Tensor out) override {
    stream_ = x;
    ForwardingOps::AddRmsNorm(x, delta, gain, eps, out);
  }
  Tensor stream() const { return stream_; }

 private:
  Tensor stream_;
};

}  // namespace

MtpRigParts Sabotaged(std::unique_ptr<Device> device, MtpFault fault) {
  MtpRigParts parts;
  parts.device = std::move(device);
  switch (fault) {
    case MtpFault::kNone:
      break;
    case MtpFault::kHiddenFirst:
      parts.wrap_ops = [](Ops& real) { return std::make_unique<HiddenFirst>(real); };
      break;
    case MtpFault::kUnnormedState:
      parts.wrap_ops = [](Ops& real) { return std::make_unique<StreamWatcher>(real); };
      parts.change_states = [](Ops& ops, Tensor states) {
        ops.Cast(static_cast<StreamWatcher&>(ops).stream(), states);
      };
      break;
    case MtpFault::kFirstNotZeroed:
      parts.wrap_ops = [](Ops& real) { return std::make_unique<FirstNotZeroed>(real); };
      break;
  }
  return parts;
}

}  // namespace shoal
