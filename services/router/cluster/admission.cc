#include "services/router/cluster/admission.h"

#include "absl/strings/str_cat.h"

#include "services/router/cluster/protocol.h"

namespace shoal {

namespace {

constexpr size_t kMaxName = 128;

std::optional<v1::Rejected> CheckProtocol(const v1::Join& join) {
  if (join.protocol_min() <= kProtocolMax && kProtocolMin <= join.protocol_max() &&
      join.protocol_min() <= join.protocol_max()) {
    return std::nullopt;
  }
  return Rejection("protocol", absl::StrCat(kProtocolMin, "..", kProtocolMax),
                   absl::StrCat(join.protocol_min(), "..", join.protocol_max()),
                   "the ranges do not overlap");
}

// An empty expectation accepts any value but the empty one.
std::optional<v1::Rejected> CheckEqual(absl::string_view field, const std::string& expected,
                                       const std::string& actual) {
  if (actual.empty()) return Rejection(field, expected.empty() ? "not empty" : expected, "empty");
  if (expected.empty() || expected == actual) return std::nullopt;
  return Rejection(field, expected, actual);
}

std::optional<v1::Rejected> CheckIdentity(const Expected& expected, const v1::Join& join) {
  const std::string& name = join.worker().name();
  if (name.empty() || name.size() > kMaxName) {
    return Rejection("worker.name", absl::StrCat("1 to ", kMaxName, " bytes"),
                     absl::StrCat(name.size(), " bytes"));
  }
  if (join.mesh_address().empty()) return Rejection("mesh_address", "HOST:PORT", "empty");
  if (join.generate_address().empty()) return Rejection("generate_address", "HOST:PORT", "empty");
  if (join.desired_rank() < -1 || join.desired_rank() >= expected.group_size) {
    return Rejection("desired_rank", absl::StrCat("-1..", expected.group_size - 1),
                     absl::StrCat(join.desired_rank()));
  }
  return std::nullopt;
}

}  // namespace

v1::Rejected Rejection(absl::string_view field, absl::string_view expected,
                       absl::string_view actual, absl::string_view why) {
  v1::Rejected rejected;
  rejected.set_field(std::string(field));
  rejected.set_expected(std::string(expected));
  rejected.set_actual(std::string(actual));
  rejected.set_reason(absl::StrCat(field, ": the group has ", expected, ", the worker ", actual,
                                   why.empty() ? "" : ": ", why));
  return rejected;
}

std::optional<v1::Rejected> CheckJoin(const Expected& expected, const v1::Join& join) {
  if (auto rejected = CheckProtocol(join)) return rejected;
  if (auto rejected = CheckEqual("cluster", expected.cluster, join.cluster())) return rejected;
  if (auto rejected = CheckIdentity(expected, join)) return rejected;
  struct {
    absl::string_view field;
    const std::string& expected;
    const std::string& actual;
  } const equal[] = {
      {"model", expected.model, join.model()},
      {"config_digest", expected.config_digest, join.config_digest()},
      {"tokenizer_digest", expected.tokenizer_digest, join.tokenizer_digest()},
      {"numerics_id", expected.numerics_id, join.numerics_id()},
      {"weight_digest", expected.weight_digest, join.weight_digest()},
  };
  for (const auto& e : equal) {
    if (auto rejected = CheckEqual(e.field, e.expected, e.actual)) return rejected;
  }
  return std::nullopt;
}

}  // namespace shoal
