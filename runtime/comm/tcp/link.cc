#include "runtime/comm/tcp/link.h"

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/base/crc32c.h"
#include "runtime/base/status_macros.h"

namespace shoal::internal {
namespace {

bool TryAgain(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

absl::Status Closed() { return absl::UnavailableError("closed its connection"); }

absl::Status Broken(int error) {
  if (error == ECONNRESET || error == EPIPE) return Closed();
  return absl::UnavailableError(absl::StrCat("its connection broke: ", ErrorText(error)));
}

}  // namespace

Link::Link(Fd fd, int peer)
    : fd_(std::move(fd)),
      peer_(peer),
      staging_(std::make_unique_for_overwrite<std::byte[]>(kStaging)) {
  SetBlocking(fd_, kPatience);
}

absl::StatusOr<uint64_t> Link::Send(FrameHeader header, ConstBytes payload) {
  header.length = payload.size();
  header.payload_crc = Crc32c(payload.data(), payload.size());
  Outgoing o;
  o.header = EncodeHeader(header);
  if (payload.size() <= kSmallPayload) {
    o.small_bytes = payload.size();
    std::copy(payload.begin(), payload.end(), o.small.begin());
  } else {
    o.payload = payload;
  }
  outgoing_.push_back(o);
  const uint64_t ticket = first_ticket_ + (outgoing_.size() - head_) - 1;
  RETURN_IF_ERROR(Flush());
  return ticket;
}

int Link::UnsentParts(Outgoing& o, iovec* parts) {
  size_t skip = o.sent;
  int n = 0;
  const auto add = [&](const std::byte* p, size_t size) {
    const size_t skipped = std::min(skip, size);
    skip -= skipped;
    if (size > skipped) parts[n++] = {const_cast<std::byte*>(p) + skipped, size - skipped};
  };
  add(o.header.data(), o.header.size());
  add(o.small.data(), o.small_bytes);
  add(o.payload.data(), o.payload.size());
  return n;
}

absl::Status Link::Flush() {
  while (sending()) {
    // Two frames at once: a vote behind an exchange, or the two channels.
    iovec parts[4];
    int n = UnsentParts(outgoing_[head_], parts);
    if (head_ + 1 < outgoing_.size()) n += UnsentParts(outgoing_[head_ + 1], parts + n);
    msghdr message = {};
    message.msg_iov = parts;
    message.msg_iovlen = n;
    const ssize_t sent = sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return TryAgain(errno) ? absl::OkStatus() : Broken(errno);
    MarkSent(static_cast<size_t>(sent));
  }
  return absl::OkStatus();
}

void Link::MarkSent(size_t bytes) {
  bytes_moved_ += bytes;
  while (bytes > 0) {
    Outgoing& o = outgoing_[head_];
    const size_t n = std::min(bytes, o.size() - o.sent);
    o.sent += n;
    bytes -= n;
    if (o.sent < o.size()) return;
    ++head_;
    ++first_ticket_;
  }
  if (!sending()) {
    outgoing_.clear();
    head_ = 0;
  }
}

absl::StatusOr<bool> Link::Receive(FrameSink& sink, int flags) {
  while (in_frame_ || sink.Wants(peer_)) {
    if (!in_frame_ && staged_end_ - staged_begin_ >= kFrameHeaderBytes)
      RETURN_IF_ERROR(StartFrame(sink));
    if (in_frame_) {
      TakeStaged();
      if (received_ == header_.length) {
        RETURN_IF_ERROR(FinishFrame(sink));
        continue;
      }
    }
    ASSIGN_OR_RETURN(const size_t n, ReadMore(flags));
    if (n == 0) return false;
  }
  return true;
}

absl::Status Link::StartFrame(FrameSink& sink) {
  ASSIGN_OR_RETURN(header_, DecodeHeader(staging_.get() + staged_begin_));
  staged_begin_ += kFrameHeaderBytes;
  ASSIGN_OR_RETURN(payload_, sink.OnHeader(peer_, header_));
  in_frame_ = true;
  received_ = 0;
  crc_ = 0;
  return absl::OkStatus();
}

void Link::TakeStaged() {
  const size_t n = std::min<uint64_t>(staged_end_ - staged_begin_, header_.length - received_);
  if (n == 0) return;
  crc_ = CopyExtendingCrc32c(crc_, payload_ + received_, staging_.get() + staged_begin_, n);
  received_ += n;
  staged_begin_ += n;
}

absl::Status Link::FinishFrame(FrameSink& sink) {
  in_frame_ = false;
  if (crc_ != header_.payload_crc) {
    return absl::DataLossError(absl::StrCat("payload with checksum ",
                                            absl::Hex(header_.payload_crc), " whose bytes give ",
                                            absl::Hex(crc_)));
  }
  return sink.OnFrame(peer_, header_);
}

absl::StatusOr<size_t> Link::ReadMore(int flags) {
  // What is staged is less than a header now, or nothing inside a frame.
  if (staged_begin_ > 0) {
    std::memmove(staging_.get(), staging_.get() + staged_begin_, staged_end_ - staged_begin_);
    staged_end_ -= staged_begin_;
    staged_begin_ = 0;
  }
  // A long rest of a payload goes straight into place; a short one comes with whatever follows it.
  iovec parts[2];
  int n = 0;
  const uint64_t rest = in_frame_ ? header_.length - received_ : 0;
  const bool direct = rest >= kStaging / 4;
  if (direct) parts[n++] = {payload_ + received_, rest};
  parts[n++] = {staging_.get() + staged_end_, kStaging - staged_end_};
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = n;
  const ssize_t got = recvmsg(fd_.get(), &message, flags);
  if (got == 0) return Closed();
  if (got < 0) {
    if (TryAgain(errno)) return 0;
    return Broken(errno);
  }
  bytes_moved_ += static_cast<size_t>(got);
  const size_t placed = direct ? std::min<uint64_t>(got, rest) : 0;
  crc_ = ExtendCrc32c(crc_, payload_ + received_, placed);
  received_ += placed;
  staged_end_ += static_cast<size_t>(got) - placed;
  return static_cast<size_t>(got);
}

void Link::Shutdown() { shutdown(fd_.get(), SHUT_RDWR); }

}  // namespace shoal::internal
