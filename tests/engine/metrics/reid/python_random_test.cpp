// Against what CPython 3.11 draws.
#include "engine/metrics/reid/python_random.h"

#include <gtest/gtest.h>

namespace {

using tyto::PythonRandom;
using Numbers = std::vector<int64_t>;

Numbers choices(uint32_t seed, const Numbers& sizes) {
  PythonRandom random(seed);
  Numbers drawn;
  for (const int64_t n : sizes) drawn.push_back(random.choice(n));
  return drawn;
}

// random.seed(seed); [random.choice(range(n)) for n in sizes]
TEST(PythonRandom, ChoiceDrawsWhatPythonDraws) {
  const Numbers sizes = {1, 2, 3, 20, 29, 1000, int64_t{1} << 31};
  EXPECT_EQ(choices(0, sizes), (Numbers{0, 1, 0, 8, 16, 497, 1739178872}));
  EXPECT_EQ(choices(1, sizes), (Numbers{0, 0, 1, 3, 15, 779, 1930549411}));
  EXPECT_EQ(choices(9, sizes), (Numbers{0, 1, 1, 4, 5, 887, 27638352}));
  EXPECT_EQ(choices(4294967295, sizes), (Numbers{0, 0, 2, 16, 9, 617, 1460408326}));
}

TEST(PythonRandom, ChoiceGoesOnBeyondTheFirst624Words) {
  const Numbers drawn = choices(5, Numbers(700, 29));
  EXPECT_EQ(Numbers(drawn.end() - 5, drawn.end()), (Numbers{14, 23, 12, 5, 4}));
}

// random.seed(seed); random.sample(range(n), k). Seeds where the two ways to keep what is drawn differ, on
// both sides of every limit between them.
TEST(PythonRandom, SampleDrawsWhatPythonDraws) {
  const struct {
    uint32_t seed;
    int64_t n, k;
    Numbers drawn;
  } cases[] = {
      {0, 0, 0, {}},
      {3, 5, 5, {1, 4, 3, 2, 0}},
      {2, 21, 5, {1, 2, 19, 11, 5}},
      {2, 22, 5, {1, 2, 11, 5, 21}},
      {0, 13, 10, {6, 12, 0, 4, 8, 7, 3, 2, 11, 5}},
      {1, 37, 6, {8, 4, 16, 7, 31, 28}},
      {5, 85, 6, {79, 32, 45, 67, 3, 59}},
      {2, 86, 6, {7, 11, 10, 46, 21, 85}},
      {0, 85, 21, {49, 53, 5, 33, 65, 62, 51, 38, 61, 45, 74, 27, 64, 17, 36, 71, 12, 32, 18, 39, 68}},
      {0, 86, 21, {49, 53, 5, 33, 65, 62, 51, 38, 61, 45, 74, 27, 64, 17, 36, 12, 79, 32, 68, 77, 18}},
      {0, 277, 22, {197, 215, 20,  132, 261, 248, 207, 155, 244, 183, 111,
                    258, 71,  144, 264, 48,  128, 75,  158, 50,  37,  169}},
      {0, 278, 22, {197, 215, 20,  132, 261, 248, 207, 155, 244, 183, 111,
                    258, 71,  144, 48,  128, 272, 75,  158, 50,  37,  169}},
  };
  for (const auto& c : cases)
    EXPECT_EQ(PythonRandom(c.seed).sample(c.n, c.k), c.drawn) << c.k << " of " << c.n << ", seed " << c.seed;
}

}  // namespace
