#include "tests/parity/golden_coverage.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/parity/golden_case.h"

namespace shoal {
namespace {

TEST(GoldenCoverage, EveryRequiredFeatureIsInSomeCase) {
  for (const std::string& feature : MissingFeatures(ReadGoldenCases()))
    ADD_FAILURE() << "no case of testdata/cases.json has: " << feature;
}

// The test above can fail, for every feature: without the cases that have it, it is what is missed.
TEST(GoldenCoverage, AFeatureIsMissedWithoutItsCases) {
  for (const Feature& feature : RequiredFeatures()) {
    std::vector<GoldenCase> cases = ReadGoldenCases();
    cases.erase(std::remove_if(cases.begin(), cases.end(), feature.holds), cases.end());
    EXPECT_FALSE(cases.empty()) << "says nothing, for every case has it: " << feature.name;
    const std::vector<std::string> missing = MissingFeatures(cases);
    EXPECT_EQ(std::count(missing.begin(), missing.end(), feature.name), 1) << feature.name;
  }
}

TEST(GoldenCoverage, NamesAndSeedsAreUnique) {
  std::set<std::string> names;
  std::set<uint64_t> seeds;
  for (const GoldenCase& c : ReadGoldenCases()) {
    EXPECT_TRUE(names.insert(c.name).second) << c.name;
    EXPECT_TRUE(seeds.insert(c.seed).second) << c.name << " has the seed of another case";
  }
}

}  // namespace
}  // namespace shoal
