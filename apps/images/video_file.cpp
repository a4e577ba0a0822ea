#include "apps/images/video_file.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>
}

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "tyto/error.h"

namespace tyto::apps {
namespace {

constexpr int kQuality = 3;  // JPEG's quantiser by FFmpeg's count: 2 is the best, 31 the worst

AVRational rational(TimeBase unit) { return {unit.numerator, unit.denominator}; }

// A frame's duration has 31 bits in the file: with the finest units (Matroska may count nanoseconds) that is
// not long.
TimeBase writable(TimeBase unit) {
  constexpr int kFinest = 90000;
  return unit.denominator <= kFinest ? unit : TimeBase{1, kFinest};
}

}  // namespace

VideoFile::VideoFile(std::filesystem::path path, TimeBase unit)
    : path_(std::move(path)), unit_(unit), written_unit_(writable(unit)) {}

void VideoFile::check(int result) const {
  if (failed_) std::rethrow_exception(failed_);
  if (result < 0)
    throw Error(ErrorKind::File,
                fmt::format("{}: cannot write this video ({})", path_.string(), ffmpeg_error(result)));
}

// FFmpeg is C: nothing may be thrown through it.
int VideoFile::write_bytes(void* self, unsigned char* bytes, int size) {
  auto& video = *static_cast<VideoFile*>(self);
  try {
    const int64_t inside = std::min<int64_t>(size, video.size_ - video.position_);
    video.file_->write_at(static_cast<uint64_t>(video.position_), bytes, static_cast<size_t>(inside));
    video.file_->write(bytes + inside, static_cast<size_t>(size - inside));
  } catch (const Error&) {
    video.failed_ = std::current_exception();
    return AVERROR(EIO);
  }
  video.position_ += size;
  video.size_ = std::max(video.size_, video.position_);
  return size;
}

int64_t VideoFile::seek(void* self, int64_t offset, int whence) {
  auto& video = *static_cast<VideoFile*>(self);
  if (whence & AVSEEK_SIZE) return video.size_;
  if (whence == SEEK_CUR) offset += video.position_;
  if (whence == SEEK_END) offset += video.size_;
  if (offset < 0 || offset > video.size_) return AVERROR(EINVAL);
  return video.position_ = offset;
}

void VideoFile::open(const cv::Mat& first) {
  silence_ffmpeg();
  file_.emplace(path_, ".tmp");
  io_ = byte_stream(this, nullptr, write_bytes, seek);
  AVFormatContext* format = nullptr;
  check(avformat_alloc_output_context2(&format, nullptr, "mov", nullptr));
  format_.reset(format);
  format->pb = io_.get();
  format->flags |= AVFMT_FLAG_BITEXACT;  // no version of FFmpeg in the file

  const AVCodec* codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
  if (!codec) check(AVERROR_ENCODER_NOT_FOUND);
  codec_ = owned(avcodec_alloc_context3(codec));
  codec_->width = first.cols;
  codec_->height = first.rows;
  codec_->pix_fmt = AV_PIX_FMT_YUVJ420P;
  codec_->time_base = rational(written_unit_);
  codec_->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
  codec_->global_quality = FF_QP2LAMBDA * kQuality;
  codec_->thread_count = 1;  // each frame comes out before the next goes in
  check(avcodec_open2(codec_.get(), codec, nullptr));

  stream_ = avformat_new_stream(format, nullptr);
  if (!stream_) throw std::bad_alloc();
  check(avcodec_parameters_from_context(stream_->codecpar, codec_.get()));
  stream_->time_base = rational(written_unit_);
  check(avformat_write_header(format, nullptr));

  frame_ = owned(av_frame_alloc());
  frame_->format = codec_->pix_fmt;
  frame_->width = first.cols;
  frame_->height = first.rows;
  frame_->quality = codec_->global_quality;
  if (av_frame_get_buffer(frame_.get(), 0) < 0) throw std::bad_alloc();
}

void VideoFile::convert(const cv::Mat& bgr) {
  if (av_frame_make_writable(frame_.get()) < 0) throw std::bad_alloc();
  scaler_.reset(sws_getCachedContext(scaler_.release(), bgr.cols, bgr.rows, AV_PIX_FMT_BGR24, frame_->width,
                                     frame_->height, codec_->pix_fmt, SWS_BICUBIC, nullptr, nullptr,
                                     nullptr));
  if (!scaler_) check(AVERROR(EINVAL));
  const std::array<const uint8_t*, 4> planes = {bgr.data};
  const std::array<int, 4> steps = {static_cast<int>(bgr.step)};
  check(sws_scale(scaler_.get(), planes.data(), steps.data(), 0, bgr.rows, frame_->data, frame_->linesize));
}

void VideoFile::add(const cv::Mat& bgr, int64_t time) {
  if (!file_) open(bgr);
  convert(bgr);
  int64_t written = av_rescale_q(time, rational(unit_), rational(written_unit_));
  if (waiting_) written = std::max(written, waiting_time_ + 1);
  frame_->pts = written;
  check(avcodec_send_frame(codec_.get(), frame_.get()));
  auto packet = owned(av_packet_alloc());
  check(avcodec_receive_packet(codec_.get(), packet.get()));
  if (waiting_) write_waiting(written);
  waiting_ = std::move(packet);
  waiting_time_ = written;
}

void VideoFile::write_waiting(int64_t until) {
  waiting_->stream_index = stream_->index;
  waiting_->pts = waiting_->dts = waiting_time_;
  waiting_->duration = std::max<int64_t>(until - waiting_time_, 1);
  av_packet_rescale_ts(waiting_.get(), rational(written_unit_), stream_->time_base);
  check(av_write_frame(format_.get(), waiting_.get()));
}

void VideoFile::commit(int64_t end) {
  if (!file_) return;
  write_waiting(av_rescale_q(end, rational(unit_), rational(written_unit_)));
  check(av_write_trailer(format_.get()));
  check(io_->error);
  file_->commit();
}

}  // namespace tyto::apps
