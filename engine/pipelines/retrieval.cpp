#include "engine/pipelines/retrieval.h"

#include <fmt/format.h>
#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace tyto {
namespace {

// Every product has this shape, filled up with zero rows, and runs on one thread. Both sides are multiples of
// the register blocks of oneDNN's kernels on every ISA (6 and 8 by 16, 24 and 48): its remainder kernels sum
// in another order, so that a score would depend on where its rows stand.
constexpr int64_t kQueryTile = 48, kGalleryTile = 384;

// Keeps the first exception thrown by any thread of a parallel loop.
class FirstError {
 public:
  template <class Work>
  void guard(Work&& work) {
    try {
      work();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr error_;
};

// rows first .. first + tile of `matrix`, in place where they are all there, else copied into `room` before
// zeros
const float* tile_of(const Tensor& matrix, int64_t first, int64_t tile, std::vector<float>& room) {
  const int64_t width = matrix.dim(1), rows = std::min(tile, matrix.dim(0) - first);
  const float* from = matrix.as<float>().data() + first * width;
  if (rows == tile) return from;
  room.assign(static_cast<size_t>(tile * width), 0.0f);
  std::copy(from, from + rows * width, room.begin());
  return room.data();
}

// scores [kQueryTile, stride], columns first .. first + kGalleryTile
void score_tile(const float* queries, const Tensor& gallery, int64_t first, int64_t stride, float* scores) {
  std::vector<float> room;
  const int64_t width = gallery.dim(1);
  const float* rows = tile_of(gallery, first, kGalleryTile, room);
  if (dnnl_sgemm('N', 'T', kQueryTile, kGalleryTile, width, 1.0f, queries, width, rows, width, 0.0f,
                 scores + first, stride) != dnnl_success)
    throw Error(ErrorKind::Device, "oneDNN failed to multiply features; is memory short?");
}

}  // namespace

void score_queries(const Tensor& queries, const Tensor& gallery, const ScoreVisitor& visit,
                   const QueriesDone& done) {
  check_features(queries, "query");
  check_features(gallery, "gallery");
  if (queries.dim(1) != gallery.dim(1))
    throw Error(ErrorKind::Shape, fmt::format("query features have {} values, gallery features {}",
                                              queries.dim(1), gallery.dim(1)));
  if (gallery.dim(0) > std::numeric_limits<int32_t>::max() - kGalleryTile)
    throw Error(ErrorKind::Shape,
                fmt::format("a gallery of {} images passes the limit of 2^31", gallery.dim(0)));

  const int64_t total = queries.dim(0), images = gallery.dim(0);
  const int64_t stride = (images + kGalleryTile - 1) / kGalleryTile * kGalleryTile;
  Tensor block = Tensor::zeros(DType::F32, {kQueryTile, stride});
  float* scores = block.as<float>().data();
  std::vector<float> room;
  for (int64_t first = 0; first < total; first += kQueryTile) {
    const float* rows = tile_of(queries, first, kQueryTile, room);
    const int64_t count = std::min(kQueryTile, total - first);
    FirstError error;
    if (gallery.dim(1) > 0) {
#pragma omp parallel for schedule(static)
      for (int64_t g = 0; g < stride; g += kGalleryTile)
        error.guard([&] { score_tile(rows, gallery, g, stride, scores); });
      error.rethrow();
    }
#pragma omp parallel for schedule(dynamic)
    for (int64_t q = 0; q < count; ++q)
      error.guard([&] { visit(first + q, {scores + q * stride, static_cast<size_t>(images)}); });
    error.rethrow();
    if (done) done(count);
  }
}

Tensor average_multi_queries(const Tensor& queries, const Labels& labels, const Tensor& others,
                             const Labels& other_labels) {
  check_labels(queries, labels, "query");
  check_labels(others, other_labels, "multi-query");
  if (queries.dim(1) != others.dim(1))
    throw Error(ErrorKind::Shape, fmt::format("query features have {} values, multi-query features {}",
                                              queries.dim(1), others.dim(1)));
  std::map<std::pair<int64_t, int64_t>, std::vector<int64_t>> rows_of;
  for (size_t i = 0; i < other_labels.ids.size(); ++i)
    rows_of[{other_labels.ids[i], other_labels.cameras[i]}].push_back(static_cast<int64_t>(i));

  const int64_t width = queries.dim(1);
  Tensor averaged = queries.clone();
  std::vector<double> sum(static_cast<size_t>(width));
  for (int64_t q = 0; q < queries.dim(0); ++q) {
    const auto i = static_cast<size_t>(q);
    const auto group = rows_of.find({labels.ids[i], labels.cameras[i]});
    if (group == rows_of.end()) continue;
    std::fill(sum.begin(), sum.end(), 0.0);
    for (const int64_t row : group->second) {
      const float* from = others.as<float>().data() + row * width;
      for (size_t j = 0; j < sum.size(); ++j) sum[j] += from[j];
    }
    float* to = averaged.as<float>().data() + q * width;
    const auto members = static_cast<double>(group->second.size());
    for (size_t j = 0; j < sum.size(); ++j) to[j] = static_cast<float>(sum[j] / members);
  }
  return averaged;
}

}  // namespace tyto
