#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/losses/multibox_checks.h"

namespace tyto::kernels {
namespace {

struct Device {
  template <class E>
  using Array = DeviceArray<E>;

  template <class C>
  static void match(const ImageObjects<C>& objects, const Priors<C>& priors, const MatchPriors& p,
                    const MatchedPriors<C>& out) {
    DeviceArray<char> workspace(match_priors_workspace<C>(objects.batch, objects.capacity, priors.count));
    match_priors(objects, priors, p, out, workspace.data(), nullptr);
  }
  template <class T>
  static void mine(const RowsToMine<T>& in, const MineNegatives& p, const SelectedRows& out) {
    DeviceArray<char> workspace(mine_negatives_workspace<T>(in.batch, in.rows));
    mine_negatives(in, p, out, workspace.data(), nullptr);
  }
  template <class T>
  static void loss(const MultiboxInput<T>& in, const MultiboxLoss& p, const MultiboxOutput<T>& out) {
    DeviceArray<char> workspace(
        multibox_loss_workspace<T>(in.objects.batch, in.objects.capacity, in.priors.count));
    multibox_loss(in, p, out, workspace.data(), nullptr);
  }
};

TEST(MultiboxLoss, HasTheGoldenNumbers) { check_golden<Device>(); }
TEST(MultiboxLoss, EqualsEveryReference) { check_references<Device>(); }
TEST(MultiboxLoss, EqualsTheReferenceWithOtherOptions) { check_options<Device>(); }
TEST(MultiboxLoss, GradientsAreCentralDifferences) { check_central_differences<Device>(4); }
TEST(MultiboxLoss, MatchesCrowdsInOrder) { check_crowds<Device>(); }
TEST(MultiboxLoss, MatchesAtTheThreshold) { check_threshold<Device>(); }
TEST(MultiboxLoss, TakesEqualLossesInOrder) { check_ties<Device>(); }
TEST(MultiboxLoss, WithoutObjectsIsWhatTheReferenceMakesOfIt) { check_no_objects<Device>(); }
TEST(MultiboxLoss, ADegenerateObjectIsReportedAndRemains) { check_degenerate_object<Device>(); }
TEST(MultiboxLoss, AFaultIsNeverAPlausibleNumber) { check_faults<Device>(); }
TEST(MultiboxLoss, LooksAtLocationsOfPositivesAlone) { check_locations<Device>(); }
TEST(MultiboxLoss, GivesWhatIsWanted) { check_what_is_wanted<Device>(); }

// More objects than stand in shared memory at a time, several tiles of priors, more classes than lanes, and
// rows of which one or eight make a tile.
TEST(MultiboxLoss, CrossesEveryEdgeOfTheTiles) {
  expect_equals_reference<Device, float>(random_case(2, 2, 513, 3, MultiboxReference::Fork));
  expect_equals_reference<Device, float>(random_case(2, 2, 513, 3, MultiboxReference::Bubbliiiing));
  MultiboxCase c = random_case(1, 35, 130, 65, MultiboxReference::Bubbliiiing);
  c.counts = {35};
  expect_equals_reference<Device, float>(c);
  expect_equals_reference<Device, float>(random_case(2, 2, 19, 400, MultiboxReference::Fork));
  expect_equals_reference<Device, double>(random_case(2, 2, 5, 2000, MultiboxReference::Fork));
}

TEST(Profile, MultiboxLoss) {
  const MultiboxCase c = random_case(profile_batch(), 5, 8732, 21, MultiboxReference::Fork);
  loss_on<Device, float>(c);
}

}  // namespace
}  // namespace tyto::kernels
