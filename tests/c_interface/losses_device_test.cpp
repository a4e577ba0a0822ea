// What losses tell from the device.
#include <tyto_losses.h>

#include <cmath>
#include <cstring>

#include "c_interface/arguments.h"
#include "c_interface/device_call.h"

namespace tyto {
namespace {

TEST(CLossesOnDevice, TellFaultsByTheWordInTheDevicesMemory) {
  std::vector<Sample> all = samples(TYTO_FLOAT);
  Sample& sample = all.front();
  auto& desc = *static_cast<tyto_circle_loss_desc*>(sample.desc.get());
  kernels::DeviceArray<uint64_t> status(std::vector<uint64_t>{0});
  desc.status = status.data();
  const float nan = NAN;
  std::memcpy(&sample.arrays[1].bytes[5 * sizeof nan], &nan, sizeof nan);
  EXPECT_EQ(call_on_device(sample).code, TYTO_LOSSES_OK);
  char text[256];
  EXPECT_EQ(tyto_losses_describe_status(status.download()[0], text, sizeof text), TYTO_LOSSES_NOT_FINITE);
  EXPECT_STREQ(text, "features: row 1 holds a value that is not finite");
}

TEST(CLossesOnDevice, AreRefusedByALibraryBuiltWithout) {
  try {
    c_interface::Arguments(TYTO_FLOAT, TYTO_ON_CUDA, false, true);
    FAIL();
  } catch (const c_interface::Refused& refused) {
    EXPECT_EQ(refused.code, TYTO_LOSSES_UNSUPPORTED);
    EXPECT_NE(refused.text.find("built without CUDA"), std::string::npos);
  }
}

}  // namespace
}  // namespace tyto
