#include "tyto/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "support/errors.h"

namespace tyto {
namespace {

constexpr DType kAll[] = {DType::F32, DType::F16, DType::BF16, DType::F64, DType::I64,
                          DType::I32, DType::I16, DType::I8,   DType::U8,  DType::Bool};

Tensor of_bits(DType dtype, const std::vector<uint16_t>& bits) {
  Tensor t(dtype, {static_cast<int64_t>(bits.size())});
  std::memcpy(t.data(), bits.data(), bits.size() * sizeof bits[0]);
  return t;
}

TEST(Shape, CountsElements) {
  EXPECT_EQ(Shape{}.elements(), 1);
  EXPECT_EQ((Shape{2, 3, 5}).elements(), 30);
  EXPECT_EQ((Shape{2, 0, 5}).elements(), 0);
  EXPECT_EQ((Shape{8, 3, 256, 128}).str(), "[8, 3, 256, 128]");
}

TEST(Shape, RefusesNegativeSizesAndOverflow) {
  expect_error([] { (void)Shape{2, -1}.elements(); }, ErrorKind::Shape, {"[2, -1]", "negative"});
  const int64_t large = int64_t{1} << 31;
  EXPECT_EQ((Shape{large, large}).elements(), int64_t{1} << 62);
  expect_error([&] { (void)Shape{large, large, 2}.elements(); }, ErrorKind::Shape, {"2^62"});
}

TEST(Shape, IsEmptyWhereASizeIsZeroHoweverLargeTheOthers) {
  const int64_t large = int64_t{1} << 40;
  EXPECT_EQ((Shape{large, large, 0}).elements(), 0);
}

TEST(Tensor, IsAligned) {
  for (int64_t n : {0, 1, 3, 64, 1001}) {
    const Tensor t(DType::U8, {n});
    EXPECT_EQ(reinterpret_cast<uintptr_t>(t.data()) % 64, 0u) << n;
  }
}

TEST(Tensor, RefusesWhatNoMemoryHolds) {
  expect_error([] { Tensor(DType::F64, {int64_t{1} << 62}); }, ErrorKind::Memory,
               {"F64", "4611686018427387904"});
  expect_error([] { Tensor(DType::F32, {int64_t{1} << 50}); }, ErrorKind::Memory,
               {"F32", "1125899906842624"});
}

TEST(Tensor, KnowsTheSizeOfEveryType) {
  for (DType dtype : kAll) {
    const Tensor t = Tensor::zeros(dtype, {3});
    EXPECT_EQ(t.bytes(), 3 * size_of(dtype)) << name_of(dtype);
    const Tensor converted = t.to_f32();
    for (float v : converted.as<float>()) EXPECT_EQ(v, 0.0f) << name_of(dtype);
  }
}

TEST(Tensor, IsNotReadAsAnotherType) {
  const Tensor t(DType::I32, {2});
  expect_error([&] { (void)t.as<float>(); }, ErrorKind::Shape, {"I32", "F32"});
}

TEST(Tensor, RefusesAValueCountThatIsNotTheShapes) {
  const float values[] = {1, 2, 3};
  expect_error([&] { Tensor::of<float>({2, 2}, values); }, ErrorKind::Shape, {"3 values", "[2, 2]"});
}

TEST(Tensor, SharesMemoryWhereCopiedOrReshapedAndNotWhereCloned) {
  Tensor t = Tensor::zeros(DType::F32, {2, 3});
  Tensor copy = t, view = t.reshaped({6}), clone = t.clone();
  t.as<float>()[5] = 7;
  EXPECT_EQ(copy.as<float>()[5], 7);
  EXPECT_EQ(view.as<float>()[5], 7);
  EXPECT_EQ(clone.as<float>()[5], 0);
  expect_error([&] { t.reshaped({5}); }, ErrorKind::Shape, {"[2, 3]", "[5]"});
}

TEST(Tensor, ConvertsEveryHalfExactly) {
  std::vector<uint16_t> bits(1 << 16);
  for (size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<uint16_t>(i);
  const Tensor converted = of_bits(DType::F16, bits).to_f32();
  for (size_t i = 0; i < bits.size(); ++i) {
    const int exponent = (bits[i] >> 10) & 31, mantissa = bits[i] & 1023;
    const float sign = bits[i] & 0x8000 ? -1.0f : 1.0f;
    float want = sign * std::ldexp(static_cast<float>(1024 + mantissa), exponent - 25);
    if (exponent == 0) want = sign * std::ldexp(static_cast<float>(mantissa), -24);
    if (exponent == 31) want = sign * std::numeric_limits<float>::infinity();
    const float got = converted.as<float>()[i];
    if (exponent == 31 && mantissa != 0) {
      EXPECT_TRUE(std::isnan(got)) << i;
      continue;
    }
    EXPECT_EQ(got, want) << i;
    EXPECT_EQ(std::signbit(got), std::signbit(want)) << i;
  }
}

TEST(Tensor, ConvertsBfloat16Exactly) {
  const Tensor converted = of_bits(DType::BF16, {0x3F80, 0xC040, 0x0001, 0x8000, 0x7F80, 0x7FC0}).to_f32();
  const auto v = converted.as<float>();
  EXPECT_EQ(v[0], 1.0f);
  EXPECT_EQ(v[1], -3.0f);
  EXPECT_EQ(v[2], std::ldexp(1.0f, -133));
  EXPECT_TRUE(v[3] == 0.0f && std::signbit(v[3]));
  EXPECT_EQ(v[4], std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(v[5]));
}

TEST(Tensor, ConvertsNumbersOfEveryWidth) {
  const double f64[] = {0.1, -1e300};
  const int64_t i64[] = {-(int64_t{1} << 40), 16777217};
  const int16_t i16[] = {-32768, 32767};
  const int8_t i8[] = {-128, 127};
  const uint8_t u8[] = {0, 255};
  EXPECT_EQ(Tensor::of<double>({2}, f64).to_f32().as<float>()[0], 0.1f);
  EXPECT_EQ(Tensor::of<int64_t>({2}, i64).to_f32().as<float>()[0], -std::ldexp(1.0f, 40));
  EXPECT_EQ(Tensor::of<int64_t>({2}, i64).to_f32().as<float>()[1], 16777216.0f);  // to the nearest, even
  EXPECT_EQ(Tensor::of<int16_t>({2}, i16).to_f32().as<float>()[0], -32768.0f);
  EXPECT_EQ(Tensor::of<int8_t>({2}, i8).to_f32().as<float>()[0], -128.0f);
  EXPECT_EQ(Tensor::of<uint8_t>({2}, u8).to_f32().as<float>()[1], 255.0f);
}

}  // namespace
}  // namespace tyto
