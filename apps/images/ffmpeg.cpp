#include "apps/images/ffmpeg.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>
}

#include <array>
#include <cctype>

namespace tyto::apps {

void FfmpegDelete::operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
void FfmpegDelete::operator()(AVFormatContext* format) const {
  if (format->iformat)
    avformat_close_input(&format);
  else
    avformat_free_context(format);
}
void FfmpegDelete::operator()(AVFrame* frame) const { av_frame_free(&frame); }
void FfmpegDelete::operator()(AVIOContext* io) const {
  av_freep(&io->buffer);
  avio_context_free(&io);
}
void FfmpegDelete::operator()(AVPacket* packet) const { av_packet_free(&packet); }
void FfmpegDelete::operator()(SwsContext* scaler) const { sws_freeContext(scaler); }

Ffmpeg<AVIOContext> byte_stream(void* file, ReadBytes* read, WriteBytes* write, SeekTo* seek) {
  constexpr int kBuffer = 1 << 16;
  auto* buffer = static_cast<unsigned char*>(av_malloc(kBuffer));
  if (!buffer) throw std::bad_alloc();
  AVIOContext* io = avio_alloc_context(buffer, kBuffer, write != nullptr, file, read, write, seek);
  if (!io) av_free(buffer);
  return owned(io);
}

void silence_ffmpeg() { av_log_set_level(AV_LOG_QUIET); }

std::string ffmpeg_version() { return av_version_info(); }

std::string ffmpeg_error(int code) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(code, text.data(), text.size());
  text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text.data();
}

}  // namespace tyto::apps
