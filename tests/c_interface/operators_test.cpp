// What a C program gets of tyto_operators.h, beside what functions_test.cpp checks.
#include <gtest/gtest.h>
#include <tyto_operators.h>

#include "c_interface/sample.h"

namespace tyto {
namespace {

Sample sample_of(const std::string& name) {
  for (Sample& sample : samples(TYTO_FLOAT))
    if (sample.name == name) return std::move(sample);
  return {};
}
template <class Desc>
Desc& desc_of(Sample& sample) {
  return *static_cast<Desc*>(sample.desc.get());
}

void expect_refusal(const Sample& sample, const std::string& text) {
  const Answer answer = call_on_cpu(sample);
  EXPECT_EQ(answer.code, TYTO_OPERATORS_BAD_ARGUMENT);
  EXPECT_EQ(answer.text, sample.name + "_workspace: " + text);
}

TEST(COperators, RefuseDoublesByName) {
  for (Sample& sample : samples(TYTO_FLOAT)) {
    desc_of<tyto_nms_desc>(sample).elements = TYTO_DOUBLE;
    expect_refusal(
        sample,
        "elements is TYTO_DOUBLE, but this function takes TYTO_FLOAT, TYTO_HALF or TYTO_BFLOAT16 alone");
  }
}

TEST(COperators, RefuseABiasOrMaskThatFitsNoItem) {
  Sample sample = sample_of("tyto_attention");
  auto& desc = desc_of<tyto_attention_desc>(sample);
  const tyto_attention_desc sound = desc;
  desc.bias_batch = 3;
  expect_refusal(sample, "bias_batch is 3, which does not divide batch, 2");
  desc = sound;
  desc.bias_heads = 3;
  expect_refusal(sample, "bias_heads is 3; it must be 1 or heads, 2");
  desc = sound;
  desc.mask_queries = 2;
  expect_refusal(sample, "mask_queries is 2; it must be 1 or queries, 3");
  desc = sound;
  desc.q_stride = 7;
  expect_refusal(sample, "q_stride is 7; it must be at least 8");
}

TEST(COperators, RefuseTheGradientOfNoBias) {
  Sample sample = sample_of("tyto_attention_backward");
  desc_of<tyto_attention_backward_desc>(sample).bias = nullptr;
  const Answer answer = call_on_cpu(sample);
  EXPECT_EQ(answer.code, TYTO_OPERATORS_BAD_ARGUMENT);
  EXPECT_EQ(answer.text, "tyto_attention_backward: bias_gradient is given, but bias is null");
}

TEST(COperators, TellTheRowsThatSuppressionGives) {
  Sample sample = sample_of("tyto_nms");
  auto& desc = desc_of<tyto_nms_desc>(sample);
  desc.max_detections = 0;
  expect_refusal(sample, "capacity is 4; these sizes and limits give 12 rows an image");
  desc.max_per_class = 3;
  expect_refusal(sample, "capacity is 4; these sizes and limits give 6 rows an image");
  desc.agnostic = 1;
  expect_refusal(sample, "capacity is 4; these sizes and limits give 3 rows an image");
}

TEST(COperators, LeaveWhatStandsBetweenTokens) {
  Sample sample = sample_of("tyto_attention");
  auto& desc = desc_of<tyto_attention_desc>(sample);
  desc.elements = TYTO_HALF;
  std::vector<uint16_t> y(2 * 3 * 9, 77);
  desc.y = y.data();
  desc.y_stride = 9;
  ASSERT_EQ(call_on_cpu(sample).code, TYTO_OPERATORS_OK);
  for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i] == 77, i % 9 >= 6) << i;
}

TEST(COperators, AreOfTheVersionOfTheHeader) { EXPECT_EQ(tyto_operators_version(), TYTO_OPERATORS_VERSION); }

}  // namespace
}  // namespace tyto
