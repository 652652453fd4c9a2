#ifndef SHOAL_TESTS_PARITY_GOLDEN_COVERAGE_H_
#define SHOAL_TESTS_PARITY_GOLDEN_COVERAGE_H_

#include <string>
#include <vector>

#include "tests/parity/golden_case.h"

namespace shoal {

// What the goldens must cover together: a property of a config, or of how its sequence is served.
struct Feature {
  std::string name;
  bool (*holds)(const GoldenCase& c);
};

const std::vector<Feature>& RequiredFeatures();

// The names of those that no case has.
std::vector<std::string> MissingFeatures(const std::vector<GoldenCase>& cases);

}  // namespace shoal

#endif  // SHOAL_TESTS_PARITY_GOLDEN_COVERAGE_H_
