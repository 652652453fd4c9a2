#include "services/router/cluster/protocol.h"

#include "gtest/gtest.h"

namespace shoal {
namespace {

v1::Epoch MakeEpoch(uint64_t number, uint64_t incarnation) {
  v1::Epoch epoch;
  epoch.set_number(number);
  epoch.set_incarnation(incarnation);
  return epoch;
}

TEST(Epoch, OrderIsNumberThenIncarnation) {
  EXPECT_TRUE(MakeEpoch(1, 9) < MakeEpoch(2, 1));
  EXPECT_TRUE(MakeEpoch(2, 1) < MakeEpoch(2, 9));
  EXPECT_FALSE(MakeEpoch(2, 9) < MakeEpoch(2, 9));
  EXPECT_TRUE(MakeEpoch(0, 0) < MakeEpoch(1, 0));
  EXPECT_TRUE(MakeEpoch(2, 9) != MakeEpoch(2, 1));
  EXPECT_EQ(EpochText(MakeEpoch(7, 0x1f)), "7/000000000000001f");
}

struct Layout {
  google::protobuf::RepeatedPtrField<v1::Member> members;
  v1::Placement placement;
  ModelDigests model{"c", "w", "n"};

  Layout() {
    for (int r = 0; r < 2; ++r) {
      v1::Member& m = *members.Add();
      m.set_rank(r);
      m.mutable_worker()->set_name(r == 0 ? "a" : "b");
      m.mutable_worker()->set_incarnation(10 + r);
      m.set_mesh_address("127.0.0.1:" + std::to_string(r));
    }
    placement.set_layers(1);
    placement.set_experts(2);
    placement.set_ranks(2);
    placement.add_slots(0);
    placement.add_slots(1);
  }
  std::string Digest() const { return LayoutDigest(members, placement, model); }
};

TEST(LayoutDigest, DependsOnEveryPart) {
  const std::string base = Layout().Digest();
  EXPECT_EQ(base.size(), 64u);
  EXPECT_EQ(Layout().Digest(), base);
  const auto changed = [&](auto change) {
    Layout layout;
    change(layout);
    return layout.Digest() != base;
  };
  EXPECT_TRUE(changed([](Layout& l) { l.members.SwapElements(0, 1); }));
  EXPECT_TRUE(changed([](Layout& l) { l.members[1].set_rank(0); }));
  EXPECT_TRUE(changed([](Layout& l) { l.members[1].mutable_worker()->set_name("c"); }));
  EXPECT_TRUE(changed([](Layout& l) { l.members[1].mutable_worker()->set_incarnation(12); }));
  EXPECT_TRUE(changed([](Layout& l) { l.members[0].set_mesh_address("127.0.0.1:9"); }));
  EXPECT_TRUE(changed([](Layout& l) { l.placement.set_version(1); }));
  EXPECT_TRUE(changed([](Layout& l) { l.placement.set_slots(0, 1); }));
  EXPECT_TRUE(changed([](Layout& l) { l.model.config = "x"; }));
  EXPECT_TRUE(changed([](Layout& l) { l.model.weights = "x"; }));
  EXPECT_TRUE(changed([](Layout& l) { l.model.numerics = "x"; }));
}

// Fields carry their lengths: moving a byte across a border changes the digest.
TEST(LayoutDigest, FieldsDoNotRunTogether) {
  Layout a, b;
  a.model = {"ab", "c", "n"};
  b.model = {"a", "bc", "n"};
  EXPECT_NE(a.Digest(), b.Digest());
}

}  // namespace
}  // namespace shoal
