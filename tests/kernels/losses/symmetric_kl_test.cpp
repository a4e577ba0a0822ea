#include "kernels/losses/symmetric_kl_cases.h"

namespace tyto::kernels::divergence {
namespace {

struct OnCpu {
  template <class T>
  Result of(const Case& c) const {
    const auto first = stored<T>(c.first), second = stored<T>(c.second);
    std::vector<Stored<T>> of_first(c.first_gradient ? first.size() : 0),
        of_second(c.second_gradient ? second.size() : 0);
    std::vector<char> workspace(static_cast<size_t>(symmetric_kl_cpu_workspace<T>(c.rows)));
    Computed<T> value;
    Result out;
    TwoViews<T> views{reinterpret_cast<const T*>(first.data()), reinterpret_cast<const T*>(second.data()),
                      c.rows, c.classes};
    LossOutput<T> output{.value = &value, .scale = c.scale, .status = &out.status};
    if (c.first_gradient) output.gradient = reinterpret_cast<T*>(of_first.data());
    if (c.second_gradient) views.second_gradient = reinterpret_cast<T*>(of_second.data());
    symmetric_kl_cpu<T>(views, output, workspace.data());
    out.value = static_cast<double>(value);
    out.first = doubles<T>(of_first);
    out.second = doubles<T>(of_second);
    return out;
  }
};

TEST(SymmetricKl, HasTorchsNumbers) { has_torchs_numbers(OnCpu{}); }

TEST(SymmetricKl, EqualsTheReference) {
  for (const int64_t classes : {1, 2, 31, 33, 751, 1025})
    equals_the_reference_in_all_types(OnCpu{}, random_case(9, classes));
}

TEST(SymmetricKl, HasItsValuesSlopes) { has_its_values_slopes(OnCpu{}); }

TEST(SymmetricKl, IsNothingWhereViewsAgree) { is_nothing_where_views_agree(OnCpu{}); }

TEST(SymmetricKl, IsExactForLogitsFarApart) { is_exact_for_logits_far_apart(OnCpu{}); }

TEST(SymmetricKl, NamesItsFaults) { names_its_faults(OnCpu{}); }

TEST(SymmetricKl, IsNotANumberWithoutRows) { is_not_a_number_without_rows(OnCpu{}); }

TEST(SymmetricKl, GivesWhatIsWanted) { gives_what_is_wanted(OnCpu{}); }

TEST(SymmetricKl, ScalesItsGradientsAlone) { scales_its_gradients_alone(OnCpu{}); }

}  // namespace
}  // namespace tyto::kernels::divergence
