#include "runtime/base/sha256.h"

#include <gtest/gtest.h>

#include <string>

namespace shoal {
namespace {

TEST(Sha256, MatchesFips180) {
  EXPECT_EQ(HexOf(Sha256Of("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HexOf(Sha256Of("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HexOf(Sha256Of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256, PiecesGiveTheDigestOfTheWholeAndFinishStartsAnew) {
  const std::string bytes(131, 'x');
  Sha256 sha;
  for (int round = 0; round < 2; ++round) {
    for (size_t at = 0; at < bytes.size(); at += 7) {
      sha.Update(absl::string_view(bytes).substr(at, 7));
    }
    EXPECT_EQ(sha.Finish(), Sha256Of(bytes));
  }
}

TEST(Hmac, MatchesRfc4231) {
  EXPECT_EQ(HexOf(HmacSha256(std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(HexOf(HmacSha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(HexOf(HmacSha256(std::string(131, '\xaa'),
                             "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(ConstantTimeEqual, ComparesLengthAndEveryByte) {
  const std::string a = BytesOf(Sha256Of("a"));
  EXPECT_TRUE(ConstantTimeEqual(a, std::string(a)));
  EXPECT_TRUE(ConstantTimeEqual("", ""));
  EXPECT_FALSE(ConstantTimeEqual(a, absl::string_view(a).substr(1)));
  for (size_t i = 0; i < a.size(); ++i) {
    std::string b = a;
    b[i] ^= 1;
    EXPECT_FALSE(ConstantTimeEqual(a, b)) << "byte " << i;
  }
}

}  // namespace
}  // namespace shoal
