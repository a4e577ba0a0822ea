#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/losses/symmetric_kl_cases.h"

namespace tyto::kernels::divergence {
namespace {

struct OnDevice {
  template <class T>
  Result of(const Case& c) const {
    const DeviceArray<Stored<T>> first(stored<T>(c.first)), second(stored<T>(c.second));
    DeviceArray<Stored<T>> of_first(c.first_gradient ? first.size() : 0),
        of_second(c.second_gradient ? second.size() : 0);
    DeviceArray<char> workspace(symmetric_kl_workspace<T>(c.rows));
    DeviceArray<Computed<T>> value(1);
    DeviceArray<LossStatus> status(std::vector<LossStatus>{0});
    TwoViews<T> views{reinterpret_cast<const T*>(first.data()), reinterpret_cast<const T*>(second.data()),
                      c.rows, c.classes};
    LossOutput<T> output{.value = value.data(), .scale = c.scale, .status = status.data()};
    if (c.first_gradient) output.gradient = reinterpret_cast<T*>(of_first.data());
    if (c.second_gradient) views.second_gradient = reinterpret_cast<T*>(of_second.data());
    symmetric_kl<T>(views, output, workspace.data(), nullptr);
    return {static_cast<double>(value.download()[0]), doubles<T>(of_first.download()),
            doubles<T>(of_second.download()), status.download()[0]};
  }
};

TEST(SymmetricKl, HasTorchsNumbers) { has_torchs_numbers(OnDevice{}); }

// Past eight rows of a warp, past a warp's row and past a block's.
TEST(SymmetricKl, EqualsTheReference) {
  for (const int64_t classes : {1, 31, 33, 1025})
    equals_the_reference_in_all_types(OnDevice{}, random_case(classes == 1025 ? 2 : 9, classes));
}

TEST(SymmetricKl, IsNothingWhereViewsAgree) { is_nothing_where_views_agree(OnDevice{}); }

TEST(SymmetricKl, IsExactForLogitsFarApart) { is_exact_for_logits_far_apart(OnDevice{}); }

TEST(SymmetricKl, NamesItsFaults) { names_its_faults(OnDevice{}); }

TEST(SymmetricKl, IsNotANumberWithoutRows) { is_not_a_number_without_rows(OnDevice{}); }

TEST(SymmetricKl, GivesWhatIsWanted) { gives_what_is_wanted(OnDevice{}); }

TEST(SymmetricKl, ScalesItsGradientsAlone) { scales_its_gradients_alone(OnDevice{}); }

TEST(Profile, SymmetricKl) {
  equals_the_reference<float>(OnDevice{}, random_case(64 * profile_batch(), 192));
}

}  // namespace
}  // namespace tyto::kernels::divergence
