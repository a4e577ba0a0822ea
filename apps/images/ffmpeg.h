// What FFmpeg allocates, owned, and what its functions say. The sources that read and write videos alone
// include its headers.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <string>

struct AVCodecContext;
struct AVFormatContext;
struct AVFrame;
struct AVIOContext;
struct AVPacket;
struct SwsContext;

namespace tyto::apps {

struct FfmpegDelete {
  void operator()(AVCodecContext* codec) const;
  void operator()(AVFormatContext* format) const;
  void operator()(AVFrame* frame) const;
  void operator()(AVIOContext* io) const;
  void operator()(AVPacket* packet) const;
  void operator()(SwsContext* scaler) const;
};

template <class T>
using Ffmpeg = std::unique_ptr<T, FfmpegDelete>;

// Takes what an allocating function of FFmpeg returned; std::bad_alloc where that is nothing.
template <class T>
Ffmpeg<T> owned(T* allocated) {
  if (!allocated) throw std::bad_alloc();
  return Ffmpeg<T>(allocated);
}

using ReadBytes = int(void* from, unsigned char* into, int size);
using WriteBytes = int(void* to, unsigned char* bytes, int size);
using SeekTo = int64_t(void* file, int64_t offset, int whence);

// A stream of bytes that FFmpeg gets from `file` or gives to it by the functions.
Ffmpeg<AVIOContext> byte_stream(void* file, ReadBytes* read, WriteBytes* write, SeekTo* seek);

void silence_ffmpeg();  // it would write to standard error

std::string ffmpeg_version();
std::string ffmpeg_error(int code);  // "invalid data found when processing input"

// A fraction of a second, in which a video counts time.
struct TimeBase {
  int numerator = 1, denominator = 1;

  bool operator==(const TimeBase&) const = default;
};

}  // namespace tyto::apps
