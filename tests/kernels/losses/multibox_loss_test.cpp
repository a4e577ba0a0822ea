#include <omp.h>

#include <cstdlib>
#include <memory>

#include "kernels/common/workspace.h"
#include "kernels/losses/multibox_checks.h"

namespace tyto::kernels {
namespace {

// Exactly as many bytes as asked for, so that the sanitizers see a write beyond.
template <class E>
class HostArray {
 public:
  explicit HostArray(const std::vector<E>& values)
      : size_(values.size()),
        data_(static_cast<E*>(::operator new (values.size() * sizeof(E), std::align_val_t{256}))) {
    std::copy(values.begin(), values.end(), data_.get());
  }
  E* data() const { return data_.get(); }
  std::vector<E> download() const { return {data(), data() + size_}; }

 private:
  struct Free {
    void operator()(E* data) const { ::operator delete (data, std::align_val_t{256}); }
  };
  size_t size_;
  std::unique_ptr<E, Free> data_;
};

struct Host {
  template <class E>
  using Array = HostArray<E>;

  static HostArray<char> memory(int64_t bytes) {
    return HostArray<char>(std::vector<char>(static_cast<size_t>(bytes), 77));
  }
  template <class C>
  static void match(const ImageObjects<C>& objects, const Priors<C>& priors, const MatchPriors& p,
                    const MatchedPriors<C>& out) {
    match_priors_cpu(
        objects, priors, p, out,
        memory(match_priors_cpu_workspace<C>(objects.batch, objects.capacity, priors.count)).data());
  }
  template <class T>
  static void mine(const RowsToMine<T>& in, const MineNegatives& p, const SelectedRows& out) {
    mine_negatives_cpu(in, p, out, memory(mine_negatives_cpu_workspace<T>(in.batch, in.rows)).data());
  }
  template <class T>
  static void loss(const MultiboxInput<T>& in, const MultiboxLoss& p, const MultiboxOutput<T>& out) {
    multibox_loss_cpu(
        in, p, out,
        memory(multibox_loss_cpu_workspace<T>(in.objects.batch, in.objects.capacity, in.priors.count))
            .data());
  }
};

TEST(MultiboxLoss, HasTheGoldenNumbers) { check_golden<Host>(); }
TEST(MultiboxLoss, EqualsEveryReference) { check_references<Host>(); }
TEST(MultiboxLoss, EqualsTheReferenceWithOtherOptions) { check_options<Host>(); }
TEST(MultiboxLoss, GradientsAreCentralDifferences) { check_central_differences<Host>(64); }
TEST(MultiboxLoss, MatchesCrowdsInOrder) { check_crowds<Host>(); }
TEST(MultiboxLoss, MatchesAtTheThreshold) { check_threshold<Host>(); }
TEST(MultiboxLoss, TakesEqualLossesInOrder) { check_ties<Host>(); }
TEST(MultiboxLoss, WithoutObjectsIsWhatTheReferenceMakesOfIt) { check_no_objects<Host>(); }
TEST(MultiboxLoss, ADegenerateObjectIsReportedAndRemains) { check_degenerate_object<Host>(); }
TEST(MultiboxLoss, AFaultIsNeverAPlausibleNumber) { check_faults<Host>(); }
TEST(MultiboxLoss, LooksAtLocationsOfPositivesAlone) { check_locations<Host>(); }
TEST(MultiboxLoss, GivesWhatIsWanted) { check_what_is_wanted<Host>(); }

TEST(MultiboxLoss, TakesMoreClassesThanATile) {
  for (const int64_t classes : {127, 128, 129, 300})
    expect_equals_reference<Host, float>(random_case(2, 5, 19, classes, MultiboxReference::Fork));
}

TEST(MultiboxLoss, HasTheSameBitsWithAnyNumberOfThreads) {
  const MultiboxCase c = random_case(4, 9, 700, 21, MultiboxReference::Fork);
  const int threads = omp_get_max_threads();
  std::vector<MultiboxResult> results;
  for (const int with : {1, 2, 3}) {
    omp_set_num_threads(with);
    results.push_back(loss_on<Host, float>(c));
  }
  omp_set_num_threads(threads);
  for (const MultiboxResult& other : results) {
    EXPECT_EQ(other.value, results[0].value);
    EXPECT_EQ(other.logits, results[0].logits);
    EXPECT_EQ(other.locations, results[0].locations);
  }
}

}  // namespace
}  // namespace tyto::kernels
