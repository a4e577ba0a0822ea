#include <gtest/gtest.h>
#include <omp.h>

#include "kernels/common/host_elements.h"
#include "kernels/losses/center_losses_checks.h"

namespace tyto::kernels {
namespace {

// Elements of T, also of the halves, whose type the CPU knows no size of.
template <class T>
class HostArray {
 public:
  explicit HostArray(const std::vector<double>& values) : stored_(values.size()) {
    for (size_t i = 0; i < values.size(); ++i)
      set_host_element(data(), static_cast<int64_t>(i), static_cast<Computed<T>>(values[i]));
  }
  T* data() { return reinterpret_cast<T*>(stored_.data()); }
  std::vector<double> values() {
    std::vector<double> all;
    for (size_t i = 0; i < stored_.size(); ++i) all.push_back(host_element(data(), static_cast<int64_t>(i)));
    return all;
  }

 private:
  using Element = std::conditional_t<std::is_same_v<T, double>, double,
                                     std::conditional_t<std::is_same_v<T, float>, float, uint16_t>>;
  std::vector<Element> stored_;
};

template <class T>
struct HostRun {
  CenterBatch batch;
  double scale;
  bool with_gradients;

  explicit HostRun(const CenterBatch& b, double scale_ = 1, bool with = true)
      : batch(b), scale(scale_), with_gradients(with) {}

  CenterBatch rounded() const {
    CenterBatch b = batch;
    b.features = HostArray<T>(b.features).values();
    b.centers = HostArray<T>(b.centers).values();
    return b;
  }
  std::vector<double> run_centers() const { return rounded().centers; }

  template <class Call>
  CenterResult call(int64_t bytes, bool learned, const Call& call) const {
    HostArray<T> features(batch.features), centers(batch.centers);
    HostArray<T> gradient(std::vector<double>(batch.features.size(), 77.0));
    HostArray<T> centers_gradient(std::vector<double>(batch.centers.size(), 77.0));
    std::vector<unsigned char> memory(static_cast<size_t>(bytes) + 256, 0xFF);
    void* workspace = memory.data();
    size_t room = memory.size();
    std::align(256, static_cast<size_t>(bytes), workspace, room);
    Computed<T> value{};
    LossStatus status = 0;
    call(LabelledRows<T>{features.data(), batch.labels.data(), batch.rows, batch.width},
         LearnedCenters<T>{centers.data(), batch.classes, with_gradients ? centers_gradient.data() : nullptr},
         LossOutput<T>{&value, with_gradients ? gradient.data() : nullptr, scale, &status}, workspace);
    CenterResult r{.value = value, .status = describe(status)};
    if (with_gradients) r.gradient = gradient.values();
    if (with_gradients && learned) r.centers_gradient = centers_gradient.values();
    return r;
  }

  CenterResult cmdc(const CmdcLoss& p) const {
    const bool by_modality = p.centers == CmdcCenters::Modality;
    return call(cmdc_loss_cpu_workspace<T>(batch.rows, batch.width), p.centers == CmdcCenters::Learned,
                [&](const auto& in, const auto& learned, const auto& out, void* workspace) {
                  cmdc_loss_cpu<T>(in, by_modality ? batch.modalities.data() : nullptr, learned, p, out,
                                   workspace);
                });
  }
  CenterResult center(const CenterLoss& p) const {
    return call(center_loss_cpu_workspace<T>(batch.rows, batch.width), true,
                [&](const auto& in, const auto& learned, const auto& out, void* workspace) {
                  center_loss_cpu<T>(in, learned, p, out, workspace);
                });
  }
  CenterResult hetero(const HeteroCenterLoss& p) const {
    return call(hetero_center_loss_cpu_workspace<T>(batch.rows, batch.width), false,
                [&](const auto& in, const auto&, const auto& out, void* workspace) {
                  hetero_center_loss_cpu<T>(in, batch.modalities.data(), p, out, workspace);
                });
  }
  CenterResult triplet(const HeteroCenterTripletLoss& p) const {
    return call(hetero_center_triplet_loss_cpu_workspace<T>(batch.rows, batch.width), false,
                [&](const auto& in, const auto&, const auto& out, void* workspace) {
                  hetero_center_triplet_loss_cpu<T>(in, batch.modalities.data(), p, out, workspace);
                });
  }
  std::vector<double> update(const UpdateCenters& p) const {
    std::vector<double> result;
    call(center_loss_cpu_workspace<T>(batch.rows, batch.width), false,
         [&](const auto& in, const auto&, const auto& out, void* workspace) {
           HostArray<T> centers(batch.centers);
           update_centers_cpu<T>(in, p, batch.classes, centers.data(), out.status, workspace);
           result = centers.values();
         });
    return result;
  }
};

TEST(CmdcLoss, HasTheGoldenNumbers) { check_cmdc_golden<HostRun>(); }
TEST(HeteroCenterLosses, HaveTheGoldenNumbers) { check_hetero_golden<HostRun>(); }
TEST(CenterLosses, TakeRowsInAnyOrder) { check_order_of_rows<HostRun>(); }
TEST(CmdcLoss, IsItsDefinition) {
  check_cmdc_value<HostRun>(random_batch(23, 7, 5));
  check_cmdc_value<HostRun>(random_batch(70, 33, 9));
}
TEST(CenterLosses, HaveTheirDifferencesForGradients) {
  check_all_gradients<HostRun>(random_batch(19, 6, 5), 24);
}
TEST(CenterLosses, OfUglyBatches) { check_edges<HostRun>(); }
TEST(CmdcLoss, MinesTheFirstOfEqualRows) { check_ties<HostRun>(); }
TEST(HeteroCenterLosses, SkipAClassOfOneModality) { check_hetero_distances<HostRun>(); }
TEST(CenterLoss, AndTheRuleThatMovesCenters) { check_center_loss<HostRun>(); }
TEST(CenterLosses, SayWhatIsWrong) { check_faults<HostRun>(); }
TEST(CenterLosses, OfFloatsAndHalvesAreDoublesRounded) {
  const CenterBatch batch = random_batch(40, 50, 7);
  check_precision<float, HostRun>(batch, std::numeric_limits<float>::epsilon() / 2);
  check_precision<Half, HostRun>(batch, 0x1p-11);
  check_precision<BFloat16, HostRun>(batch, 0x1p-8);
}

TEST(CenterLosses, HaveTheSameBitsWhateverTheThreads) {
  const HostRun<float> run(random_batch(150, 65, 40));
  const int before = omp_get_max_threads();
  std::vector<CenterResult> results[2];
  for (const int threads : {1, 3}) {
    omp_set_num_threads(threads);
    for (const CmdcLoss& p : cmdc_variants()) results[threads / 2].push_back(run.cmdc(p));
    results[threads / 2].push_back(run.triplet({}));
    results[threads / 2].push_back(run.hetero({}));
    results[threads / 2].push_back(run.center({}));
  }
  omp_set_num_threads(before);
  for (size_t i = 0; i < results[0].size(); ++i) {
    EXPECT_EQ(results[0][i].value, results[1][i].value);
    EXPECT_EQ(results[0][i].gradient, results[1][i].gradient);
    EXPECT_EQ(results[0][i].centers_gradient, results[1][i].centers_gradient);
  }
}

TEST(CmdcLoss, OfALargeBatch) {
  const CenterBatch batch = random_batch(4096, 8, 512);
  const CmdcLoss p;
  EXPECT_NEAR(HostRun<double>(batch).cmdc(p).value, cmdc_by_definition(batch, p), 1e-12);
}

}  // namespace
}  // namespace tyto::kernels
