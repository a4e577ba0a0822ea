// What a C program is told of its losses' inputs.
#include <gtest/gtest.h>
#include <tyto_losses.h>

#include <cmath>

#include "c_interface/sample.h"

namespace tyto {
namespace {

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// NaN where there is none.
double value_of(const Sample& sample) {
  for (const SampleArray& array : sample.arrays)
    if (array.name == "value") {
      double value;
      std::memcpy(&value, array.bytes.data(), sizeof value);
      return value;
    }
  return NAN;
}

TEST(CLosses, SayWhichRowIsNotFinite) {
  for (Sample& sample : samples(TYTO_DOUBLE))
    for (SampleArray& array : sample.arrays) {
      if (array.output || array.elements != TYTO_DOUBLE) continue;
      const double nan = NAN;
      std::vector<unsigned char> before = array.bytes;
      std::memcpy(array.bytes.data(), &nan, sizeof nan);
      const Answer answer = call_on_cpu(sample);
      // Of locations and their targets only those of positives are looked at; priors that are not finite
      // match nothing.
      if (!holds(array.name, "locations") && !holds(array.name, "targets") && array.name != "prior_boxes" &&
          array.name != "anchor_boxes" && array.name != "image_sizes") {
        EXPECT_EQ(answer.code, TYTO_LOSSES_NOT_FINITE)
            << sample.name << ' ' << array.name << ": " << answer.text;
        const std::string row = holds(array.name, "roi_") ? "6" : "0";  // behind the anchors
        EXPECT_TRUE(holds(answer.text, ": row " + row + " holds a value that is not finite")) << answer.text;
        EXPECT_TRUE(std::isnan(value_of(sample))) << sample.name;
      }
      std::memcpy(array.bytes.data(), before.data(), before.size());
    }
}

TEST(CLosses, SayWhichLabelIsOutOfRange) {
  for (Sample& sample : samples(TYTO_DOUBLE))
    for (SampleArray& array : sample.arrays) {
      if (array.name != "labels" || array.output) continue;
      const int32_t label = -1;
      std::memcpy(array.bytes.data() + 4, &label, sizeof label);
      const Answer answer = call_on_cpu(sample);
      EXPECT_EQ(answer.code, TYTO_LOSSES_LABEL_OUT_OF_RANGE) << sample.name << ": " << answer.text;
      EXPECT_EQ(answer.text, "labels: row 1 is out of range") << sample.name;
    }
}

TEST(CLosses, RaiseAStatusWordButNeverLowerIt) {
  std::vector<Sample> all = samples(TYTO_DOUBLE);
  Sample& sample = all.front();
  auto& desc = *static_cast<tyto_circle_loss_desc*>(sample.desc.get());
  uint64_t status = 0;
  desc.status = &status;
  EXPECT_EQ(call_on_cpu(sample).code, TYTO_LOSSES_OK);
  EXPECT_EQ(status, 0u);
  const_cast<double*>(static_cast<const double*>(desc.features))[3 * 5] = INFINITY;
  EXPECT_EQ(call_on_cpu(sample).code, TYTO_LOSSES_NOT_FINITE);
  char text[256];
  EXPECT_EQ(tyto_losses_describe_status(status, text, sizeof text), TYTO_LOSSES_NOT_FINITE);
  EXPECT_STREQ(text, "features: row 3 holds a value that is not finite");
  const uint64_t before = status;
  const_cast<double*>(static_cast<const double*>(desc.features))[3 * 5] = 1;
  EXPECT_EQ(call_on_cpu(sample).code, TYTO_LOSSES_OK);
  EXPECT_EQ(status, before);
  EXPECT_EQ(tyto_losses_describe_status(0, text, sizeof text), TYTO_LOSSES_OK);
  EXPECT_STREQ(text, "");
}

TEST(CLosses, AreOfTheVersionOfTheHeader) { EXPECT_EQ(tyto_losses_version(), TYTO_LOSSES_VERSION); }

}  // namespace
}  // namespace tyto
