#include <gtest/gtest.h>
#include <omp.h>

#include <atomic>
#include <bit>
#include <cmath>
#include <random>

#include "engine/pipelines/retrieval.h"

namespace {

using namespace tyto;

Tensor random_features(int64_t n, int64_t width, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Tensor t(DType::F32, {n, width});
  for (float& f : t.as<float>()) f = normal(random);
  return t;
}

// scores [q, g]
std::vector<float> all_scores(const Tensor& queries, const Tensor& gallery) {
  const auto images = static_cast<size_t>(gallery.dim(0));
  std::vector<float> out(static_cast<size_t>(queries.dim(0)) * images, -7.0f);
  score_queries(queries, gallery, [&](int64_t q, std::span<const float> scores) {
    ASSERT_EQ(scores.size(), images);
    std::copy(scores.begin(), scores.end(), out.begin() + q * static_cast<int64_t>(images));
  });
  return out;
}

Tensor rows(const Tensor& t, int64_t first, int64_t count) {
  const int64_t width = t.dim(1);
  return Tensor::of<float>({count, width}, t.as<float>().subspan(static_cast<size_t>(first * width),
                                                                 static_cast<size_t>(count * width)));
}

TEST(Scores, AreInnerProducts) {
  for (const int64_t width : {0, 1, 7, 512, 2049})
    for (const int64_t queries : {0, 1, 47, 49})
      for (const int64_t images : {0, 1, 383, 385}) {
        const Tensor q = random_features(queries, width, 1), g = random_features(images, width, 2);
        const auto scores = all_scores(q, g);
        double worst = 0;
        for (int64_t i = 0; i < queries; ++i)
          for (int64_t j = 0; j < images; ++j) {
            double sum = 0, magnitude = 1e-30;
            for (int64_t d = 0; d < width; ++d) {
              const double product =
                  static_cast<double>(q.as<float>()[i * width + d]) * g.as<float>()[j * width + d];
              sum += product;
              magnitude += std::abs(product);
            }
            worst = std::max(worst, std::abs(scores[i * images + j] - sum) / magnitude);
          }
        EXPECT_LE(worst, (static_cast<double>(width) + 1) * std::ldexp(1.0, -24))
            << queries << "x" << images << "x" << width;
      }
}

TEST(Scores, OfAPairAreTheSameBitsWhateverStandsBesideIt) {
  for (const int64_t width : {6, 100, 512, 1280}) {
    const int64_t images = 600;
    const Tensor q = random_features(70, width, 3), g = random_features(images, width, 4);
    const auto whole = all_scores(q, g);
    for (const int64_t query : {0, 1, 6, 30, 46, 47, 48, 64, 69}) {
      const auto alone = all_scores(rows(q, query, 1), g);
      EXPECT_TRUE(std::equal(alone.begin(), alone.end(), whole.begin() + query * images))
          << "query " << query;
    }
    for (const int64_t image : {0, 1, 7, 15, 16, 47, 100, 382, 383, 384, 512, 599}) {
      const auto alone = all_scores(q, rows(g, image, 1));
      for (int64_t i = 0; i < 70; ++i)
        ASSERT_EQ(std::bit_cast<uint32_t>(alone[i]), std::bit_cast<uint32_t>(whole[i * images + image]))
            << "width " << width << ", query " << i << ", image " << image;
    }
  }
}

TEST(Scores, DoNotDependOnTheNumberOfThreads) {
  const Tensor q = random_features(65, 300, 5), g = random_features(1111, 300, 6);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const auto one = all_scores(q, g);
  for (const int n : {2, 3, 7}) {
    omp_set_num_threads(n);
    EXPECT_EQ(all_scores(q, g), one) << n << " threads";
  }
  omp_set_num_threads(threads);
}

TEST(Scores, WhatAVisitorThrowsReachesTheCaller) {
  const Tensor q = random_features(40, 4, 7);
  EXPECT_THROW(score_queries(q, q,
                             [](int64_t query, std::span<const float>) {
                               if (query == 5) throw Error(ErrorKind::File, "disk full");
                             }),
               Error);
}

TEST(Scores, EveryQueryIsVisitedOnceAndReported) {
  const Tensor q = random_features(70, 4, 8);
  std::atomic<int> visits = 0;
  int64_t reported = 0;
  score_queries(
      q, q, [&](int64_t, std::span<const float>) { ++visits; }, [&](int64_t n) { reported += n; });
  EXPECT_EQ(visits, 70);
  EXPECT_EQ(reported, 70);
}

TEST(Scores, OfFeaturesOfDifferentWidthAreRefused) {
  EXPECT_THROW(all_scores(random_features(2, 4, 1), random_features(2, 5, 1)), Error);
}

}  // namespace
