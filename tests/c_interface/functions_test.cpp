// What a C program may do wrong, and right, with every function of a header: of that whose samples this is
// linked to. The build names the suite.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "c_interface/sample.h"

namespace tyto {
namespace {

// Codes of every header; those of faults, after which results are there, come last.
constexpr int kOk = 0, kBadArgument = 1, kUnsupported = 2, kFaults = 16;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// One sentence that names the function and the argument.
void expect_refusal(const Answer& answer, const std::string& function, const std::string& argument) {
  EXPECT_EQ(answer.code, kBadArgument) << function << ' ' << argument << ": " << answer.text;
  EXPECT_EQ(answer.text.rfind(function, 0), 0u) << answer.text;
  EXPECT_TRUE(holds(answer.text, argument)) << argument << " in: " << answer.text;
}

TEST(TYTO_SUITE, ComputeInEveryType) {
  for (const int32_t elements : {TYTO_DOUBLE, TYTO_FLOAT, TYTO_HALF, TYTO_BFLOAT16})
    for (Sample& sample : samples(elements)) {
      const Answer answer = call_on_cpu(sample);
      EXPECT_EQ(answer.code, kOk) << sample.name << ": " << answer.text;
      EXPECT_EQ(answer.text, "") << sample.name;
      for (const SampleArray& array : sample.arrays)
        if (array.output) {
          EXPECT_NE(array.bytes, std::vector<unsigned char>(array.bytes.size()))
              << sample.name << ' ' << array.name;
        }
    }
}

TEST(TYTO_SUITE, NameTheArrayThatIsNull) {
  for (Sample& sample : samples(TYTO_FLOAT))
    for (SampleArray& array : sample.arrays) {
      *array.field = nullptr;
      const Answer answer = call_on_cpu(sample);
      if (array.optional)
        EXPECT_EQ(answer.code, kOk) << sample.name << ' ' << array.name << ": " << answer.text;
      else
        expect_refusal(answer, sample.name, array.name);
      sample.point();
    }
}

TEST(TYTO_SUITE, NameTheArrayThatIsMisaligned) {
  for (Sample& sample : samples(TYTO_FLOAT))
    for (SampleArray& array : sample.arrays) {
      *array.field = array.bytes.data() + 1;
      expect_refusal(call_on_cpu(sample), sample.name, array.name);
      sample.point();
    }
}

TEST(TYTO_SUITE, NameTheSizeThatIsAbsurd) {
  for (Sample& sample : samples(TYTO_FLOAT))
    for (auto& [name, size] : sample.sizes) {
      const int64_t sound = *size;
      for (const int64_t absurd : {int64_t{-1}, std::numeric_limits<int64_t>::min(), int64_t{1} << 60,
                                   std::numeric_limits<int64_t>::max()}) {
        *size = absurd;
        expect_refusal(call_on_cpu(sample), sample.name, name);
      }
      *size = sound;
    }
}

TEST(TYTO_SUITE, RefuseNoDescriptorAndNoPlaceForTheBytes) {
  for (Sample& sample : samples(TYTO_FLOAT)) {
    char error[256];
    size_t bytes = 0;
    expect_refusal({sample.call(nullptr, nullptr, 0, nullptr, error, sizeof error), error}, sample.name,
                   "desc");
    expect_refusal({sample.workspace(nullptr, &bytes, error, sizeof error), error}, sample.name, "desc");
    expect_refusal({sample.workspace(sample.desc.get(), nullptr, error, sizeof error), error}, sample.name,
                   "bytes");
    sample.defaults(nullptr, sample.desc_size);
  }
}

TEST(TYTO_SUITE, RefuseAWorkspaceThatIsNullOrTooSmallAndTakeItAtAnyAddress) {
  for (Sample& sample : samples(TYTO_FLOAT)) {
    char error[256];
    size_t bytes = 0;
    ASSERT_EQ(sample.workspace(sample.desc.get(), &bytes, error, sizeof error), kOk);
    std::vector<unsigned char> memory(bytes + 1);
    const auto call = [&](void* workspace, size_t size) {
      return Answer{sample.call(sample.desc.get(), workspace, size, nullptr, error, sizeof error), error};
    };
    expect_refusal(call(nullptr, bytes), sample.name, "workspace is null");
    expect_refusal(call(memory.data(), bytes - 1), sample.name, "workspace_bytes");
    EXPECT_EQ(call(memory.data() + 1, bytes).code, kOk);
  }
}

TEST(TYTO_SUITE, RefuseElementsDevicesAndDescriptorsOfAnotherVersion) {
  for (Sample& sample : samples(TYTO_FLOAT)) {
    auto* const bytes = static_cast<unsigned char*>(sample.desc.get());
    const auto with = [&](size_t offset, auto value) {
      std::vector<unsigned char> before(bytes, bytes + sample.desc_size);
      std::memcpy(bytes + offset, &value, sizeof value);
      const Answer answer = call_on_cpu(sample);
      std::memcpy(bytes, before.data(), before.size());
      return answer;
    };
    expect_refusal(with(0, size_t{0}), sample.name, "desc.size");
    expect_refusal(with(0, sample.desc_size - 8), sample.name, "defaults");
    expect_refusal(with(0, sample.desc_size + 8), sample.name, "newer header");
    expect_refusal(with(sizeof(size_t), int32_t{4}), sample.name, "elements");
    expect_refusal(with(sizeof(size_t) + 4, int32_t{2}), sample.name, "device");
  }
}

TEST(TYTO_SUITE, HaveDefaultsThatFitADescriptorOfAnySize) {
  for (Sample& sample : samples(TYTO_FLOAT))
    for (const size_t size : {size_t{0}, size_t{3}, size_t{24}, sample.desc_size, sample.desc_size + 64}) {
      std::vector<unsigned char> memory(sample.desc_size + 128, 0xab);
      sample.defaults(memory.data(), size);
      for (size_t i = size; i < memory.size(); ++i) ASSERT_EQ(memory[i], 0xab) << sample.name << ' ' << size;
      if (size < sizeof size) continue;
      size_t said;
      std::memcpy(&said, memory.data(), sizeof said);
      EXPECT_EQ(said, size);
    }
}

TEST(TYTO_SUITE, CutTheirTextToTheBufferAndEndIt) {
  for (Sample& sample : samples(TYTO_FLOAT)) {
    EXPECT_EQ(sample.call(nullptr, nullptr, 0, nullptr, nullptr, 0), kBadArgument);
    EXPECT_EQ(sample.call(nullptr, nullptr, 0, nullptr, nullptr, 100), kBadArgument);
    char error[16];
    for (const size_t size : {0u, 1u, 9u}) {
      std::fill(std::begin(error), std::end(error), '#');
      EXPECT_EQ(sample.call(nullptr, nullptr, 0, nullptr, error, size), kBadArgument);
      EXPECT_EQ(error[size], '#');
      if (size > 0) {
        EXPECT_EQ(std::string(error), (sample.name + ": ").substr(0, size - 1));
      }
    }
  }
}

// An option is refused or used; whatever it is, the answer is one of the codes.
TEST(TYTO_SUITE, TakeAnyOptions) {
  std::mt19937_64 random(16);
  const double odd[] = {0, -0.0, 1, -1, 1e-300, 1e300, -1e300, INFINITY, -INFINITY, NAN, 0.5, 7, 3e9, 257};
  for (Sample& sample : samples(TYTO_FLOAT)) {
    auto* const bytes = static_cast<unsigned char*>(sample.desc.get());
    const std::vector<unsigned char> sound(bytes, bytes + sample.desc_size);
    if (sample.options >= sample.desc_size) continue;
    for (int trial = 0; trial < 300; ++trial) {
      const size_t words = (sample.desc_size - sample.options) / 4;
      for (int changes = 1 + static_cast<int>(random() % 3); changes > 0; --changes) {
        const size_t at = sample.options + random() % words * 4;
        if (at % 8 == 0 && at + 8 <= sample.desc_size && random() % 2 == 0) {
          std::memcpy(bytes + at, &odd[random() % std::size(odd)], 8);
        } else {
          const auto word = static_cast<uint32_t>(random() % 3 == 0 ? random() : random() % 6);
          std::memcpy(bytes + at, &word, 4);
        }
      }
      const Answer answer = call_on_cpu(sample);
      if (answer.code == kBadArgument)
        EXPECT_EQ(answer.text.rfind(sample.name, 0), 0u) << answer.text;
      else
        EXPECT_TRUE(answer.code == kOk || answer.code >= kFaults)
            << sample.name << ' ' << answer.code << ' ' << answer.text;
      std::memcpy(bytes, sound.data(), sound.size());
    }
  }
}

// Descriptors of any bits: the workspace function tells or refuses, the call refuses a workspace of nothing.
TEST(TYTO_SUITE, TakeAnyDescriptor) {
  std::mt19937_64 random(17);
  for (Sample& sample : samples(TYTO_FLOAT)) {
    auto* const bytes = static_cast<unsigned char*>(sample.desc.get());
    const std::vector<unsigned char> sound(bytes, bytes + sample.desc_size);
    for (int trial = 0; trial < 1000; ++trial) {
      for (int changes = 1 + static_cast<int>(random() % 4); changes > 0; --changes) {
        const size_t at = random() % (sample.desc_size / 8) * 8;
        const uint64_t word = random() >> random() % 64;
        std::memcpy(bytes + at, &word, 8);
      }
      char error[256];
      size_t needed = 0;
      const int code = sample.workspace(sample.desc.get(), &needed, error, sizeof error);
      EXPECT_TRUE(code == kOk || code == kBadArgument || code == kUnsupported) << error;
      EXPECT_LT(needed, uint64_t{1} << 60) << sample.name;
      EXPECT_NE(sample.call(sample.desc.get(), nullptr, 0, nullptr, error, sizeof error), kOk);
      std::memcpy(bytes, sound.data(), sound.size());
    }
  }
}

}  // namespace
}  // namespace tyto
