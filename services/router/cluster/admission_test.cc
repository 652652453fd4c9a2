#include "services/router/cluster/admission.h"

#include <functional>

#include "gtest/gtest.h"

#include "services/router/cluster/protocol.h"

namespace shoal {
namespace {

Expected Group() {
  return {.cluster = "c1",
          .model = "nano",
          .config_digest = "cfg",
          .tokenizer_digest = "tok",
          .weight_digest = "wts",
          .numerics_id = "n1",
          .group_size = 4};
}

v1::Join Fitting() {
  v1::Join join;
  join.mutable_worker()->set_name("w0");
  join.mutable_worker()->set_incarnation(1);
  join.set_cluster("c1");
  join.set_protocol_min(kProtocolMin);
  join.set_protocol_max(kProtocolMax);
  join.set_mesh_address("127.0.0.1:1");
  join.set_generate_address("127.0.0.1:2");
  join.set_model("nano");
  join.set_config_digest("cfg");
  join.set_weight_digest("wts");
  join.set_tokenizer_digest("tok");
  join.set_numerics_id("n1");
  join.set_desired_rank(-1);
  return join;
}

TEST(CheckJoin, AcceptsWhatFits) {
  EXPECT_FALSE(CheckJoin(Group(), Fitting()).has_value());
  v1::Join pinned = Fitting();
  pinned.set_desired_rank(3);
  EXPECT_FALSE(CheckJoin(Group(), pinned).has_value());
}

TEST(CheckJoin, TheFirstWorkerDefinesWeightsAndNumerics) {
  Expected open = Group();
  open.weight_digest.clear();
  open.numerics_id.clear();
  EXPECT_FALSE(CheckJoin(open, Fitting()).has_value());
  v1::Join nothing = Fitting();
  nothing.clear_weight_digest();
  const auto rejected = CheckJoin(open, nothing);
  ASSERT_TRUE(rejected.has_value());
  EXPECT_EQ(rejected->field(), "weight_digest");
}

struct Misfit {
  const char* field;
  std::function<void(v1::Join&)> change;
  const char* expected;
  const char* actual;
};

class Misfits : public testing::TestWithParam<Misfit> {};

TEST_P(Misfits, AreRejectedWithBothValues) {
  v1::Join join = Fitting();
  GetParam().change(join);
  const auto rejected = CheckJoin(Group(), join);
  ASSERT_TRUE(rejected.has_value());
  EXPECT_EQ(rejected->field(), GetParam().field);
  EXPECT_EQ(rejected->expected(), GetParam().expected);
  EXPECT_EQ(rejected->actual(), GetParam().actual);
  EXPECT_NE(rejected->reason().find(GetParam().expected), std::string::npos);
  EXPECT_NE(rejected->reason().find(GetParam().actual), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    EveryField, Misfits,
    testing::Values(
        Misfit{"cluster", [](v1::Join& j) { j.set_cluster("c2"); }, "c1", "c2"},
        Misfit{"model", [](v1::Join& j) { j.set_model("other"); }, "nano", "other"},
        Misfit{"config_digest", [](v1::Join& j) { j.set_config_digest("x"); }, "cfg", "x"},
        Misfit{"tokenizer_digest", [](v1::Join& j) { j.set_tokenizer_digest("x"); }, "tok", "x"},
        Misfit{"weight_digest", [](v1::Join& j) { j.set_weight_digest("x"); }, "wts", "x"},
        Misfit{"numerics_id", [](v1::Join& j) { j.set_numerics_id(""); }, "n1", "empty"},
        Misfit{"numerics_id", [](v1::Join& j) { j.set_numerics_id("n2"); }, "n1", "n2"},
        Misfit{"protocol",
               [](v1::Join& j) {
                 j.set_protocol_min(7);
                 j.set_protocol_max(9);
               },
               "1..1", "7..9"},
        Misfit{"protocol", [](v1::Join& j) { j.set_protocol_min(2); }, "1..1", "2..1"},
        Misfit{"desired_rank", [](v1::Join& j) { j.set_desired_rank(4); }, "-1..3", "4"},
        Misfit{"desired_rank", [](v1::Join& j) { j.set_desired_rank(-2); }, "-1..3", "-2"},
        Misfit{"worker.name", [](v1::Join& j) { j.mutable_worker()->clear_name(); },
               "1 to 128 bytes", "0 bytes"},
        Misfit{"mesh_address", [](v1::Join& j) { j.clear_mesh_address(); }, "HOST:PORT", "empty"},
        Misfit{"generate_address", [](v1::Join& j) { j.clear_generate_address(); }, "HOST:PORT",
               "empty"}));

}  // namespace
}  // namespace shoal
