#include "apps/images/video_decoder.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libswscale/swscale.h>
}

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/core.hpp>
#include <span>
#include <string_view>
#include <utility>

#include "apps/images/container_length.h"
#include "apps/images/image_file.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

// Containers that hold their own pictures. Playlists, patterns of file names and devices are none.
constexpr const char* kContainers =
    "3dostr,amv,asf,avi,dhav,dv,flv,gxf,h261,h263,h264,hevc,ivf,live_flv,m4v,matroska,mjpeg,mov,mpeg,"
    "mpegts,mpegvideo,mxf,nsv,nut,nuv,obu,ogg,rm,vc1,vc1test,wtv,yuv4mpegpipe";

// Longer pauses in a transport or program stream are a jump of its clock, elsewhere of more hours than anyone
// waits for.
constexpr double kLongestGapOfStreams = 10, kLongestGap = 6 * 3600;  // seconds

constexpr int kErrorsWhileDraining = 1000;

int refuse_other_files(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

// MP4 and its kin, whose index may stand at the end, without which there is nothing to go by.
bool is_mp4(const File& file) {
  std::array<char, 8> head{};
  if (file.size() >= head.size()) file.read(0, std::as_writable_bytes(std::span(head)));
  return std::string_view(head.data(), head.size()).ends_with("ftyp");
}

constexpr const char* kWithoutIndex =
    "without its index: it was cut off, or its recording was never finished";

// Clockwise, in degrees; what is not a multiple of 90 is left.
int rotation(const AVStream& stream) {
  const auto* matrix =
      reinterpret_cast<const int32_t*>(av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, nullptr));
  if (!matrix) return 0;
  const double counterclockwise = av_display_rotation_get(matrix);
  if (!std::isfinite(counterclockwise)) return 0;
  return (static_cast<int>(std::lround(-counterclockwise)) + 360) % 360;
}

}  // namespace

VideoDecoder::VideoDecoder(const std::filesystem::path& path)
    : file_(path),
      io_(byte_stream(this, read_bytes, nullptr, seek)),
      packet_(owned(av_packet_alloc())),
      waiting_(owned(av_packet_alloc())),
      frame_(owned(av_frame_alloc())) {
  silence_ffmpeg();
  try {
    open_container();
    open_codec();
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{}: no video ({})", path.string(), error.what()));
  }
}

// FFmpeg is C: nothing may be thrown through it.
int VideoDecoder::read_bytes(void* self, unsigned char* into, int size) {
  auto& decoder = *static_cast<VideoDecoder*>(self);
  const uint64_t length = decoder.file_.size();
  if (decoder.position_ >= length) return AVERROR_EOF;
  const auto count = std::min<uint64_t>(static_cast<uint64_t>(size), length - decoder.position_);
  try {
    decoder.file_.read(decoder.position_, std::as_writable_bytes(std::span(into, count)));
  } catch (const Error&) {
    return AVERROR(EIO);
  }
  decoder.position_ += count;
  return static_cast<int>(count);
}

int64_t VideoDecoder::seek(void* self, int64_t offset, int whence) {
  auto& decoder = *static_cast<VideoDecoder*>(self);
  const auto length = static_cast<int64_t>(decoder.file_.size());
  if (whence & AVSEEK_SIZE) return length;
  const int from = whence & ~AVSEEK_FORCE;
  if (from == SEEK_CUR) offset += static_cast<int64_t>(decoder.position_);
  if (from == SEEK_END) offset += length;
  if (offset < 0) return AVERROR(EINVAL);
  decoder.position_ = static_cast<uint64_t>(offset);
  return offset;
}

void VideoDecoder::open_container() {
  AVFormatContext* format = avformat_alloc_context();
  if (!format) throw std::bad_alloc();
  format->pb = io_.get();
  format->io_open = refuse_other_files;
  format->format_whitelist = av_strdup(kContainers);
  // A name's end is a hint where the contents leave a doubt. A failure frees `format`.
  const int opened = avformat_open_input(&format, file_.path().filename().c_str(), nullptr, nullptr);
  if (opened < 0) throw Error(ErrorKind::Format, is_mp4(file_) ? kWithoutIndex : ffmpeg_error(opened));
  format_.reset(format);
  const int found = avformat_find_stream_info(format, nullptr);
  if (found < 0) throw Error(ErrorKind::Format, ffmpeg_error(found));
  for (AVStream* stream : std::span(format->streams, format->nb_streams)) {
    const bool pictures = stream->codecpar->codec_type == AVMEDIA_TYPE_VIDEO &&
                          !(stream->disposition & AV_DISPOSITION_ATTACHED_PIC);  // the cover of a film
    if (pictures && !stream_)
      stream_ = stream;
    else
      stream->discard = AVDISCARD_ALL;
  }
  if (!stream_) throw Error(ErrorKind::Format, "holds no pictures");
}

void VideoDecoder::open_codec() {
  const AVCodecParameters& parameters = *stream_->codecpar;
  if (const int64_t pixels = int64_t{parameters.width} * parameters.height; pixels > kMaxPixels)
    throw Error(ErrorKind::Format, fmt::format("{} pixels a frame; the limit is {}", pixels, kMaxPixels));
  const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
  if (!codec)
    throw Error(ErrorKind::Format,
                fmt::format("FFmpeg here has no decoder of {}", avcodec_get_name(parameters.codec_id)));
  codec_ = owned(avcodec_alloc_context3(codec));
  int result = avcodec_parameters_to_context(codec_.get(), &parameters);
  codec_->pkt_timebase = stream_->time_base;
  codec_->max_pixels = kMaxPixels;
  codec_->thread_count = 0;  // as many as there are cores
  if (result >= 0) result = avcodec_open2(codec_.get(), codec, nullptr);
  if (result < 0) throw Error(ErrorKind::Format, ffmpeg_error(result));
  const bool stream_of_packets = format_->iformat->flags & AVFMT_TS_DISCONT;
  times_.emplace(time_base(), av_q2d(av_guess_frame_rate(format_.get(), stream_, nullptr)),
                 stream_of_packets ? kLongestGapOfStreams : kLongestGap);
}

// The next packet of the stream comes to packet_, nothing at the end. Of a file that was cut off the last
// packet is the partial one; the demuxer marks it or, where it has to look for the packets' ends, the one
// before.
bool VideoDecoder::read_packet() {
  // In a transport stream the mark says that packets of 188 bytes are missing, at every seam of two
  // recordings, too.
  const bool marks = std::string_view(format_->iformat->name) != "mpegts";
  while (!ended_) {
    av_packet_unref(packet_.get());
    const int result = av_read_frame(format_.get(), packet_.get());
    if (result < 0) {
      const bool partial = last_marked_ >= 0 && last_marked_ + 2 >= packets_;
      if (partial) av_packet_unref(waiting_.get());
      torn_ = result != AVERROR_EOF || partial || torn_off();
      ended_ = true;
      break;
    }
    // Without data FFmpeg would take it for the end.
    if (packet_->stream_index != stream_->index || packet_->size == 0) continue;
    if (marks && packet_->flags & AV_PKT_FLAG_CORRUPT) last_marked_ = packets_;
    ++packets_;
    std::swap(packet_, waiting_);
    if (packet_->size > 0) return true;
  }
  av_packet_unref(packet_.get());
  std::swap(packet_, waiting_);
  return packet_->size > 0;
}

// What an end between two packets would hide. The index of QuickTime's family is the table of the pictures
// themselves; that of others may have been left over from a longer file.
bool VideoDecoder::torn_off() const {
  if (stream_->nb_frames > 0 && packets_ >= stream_->nb_frames) return false;  // an index behind them is lost
  if (container_length(file_).value_or(0) > file_.size()) return true;
  if (!std::string_view(format_->iformat->name).starts_with("mov,")) return false;
  for (int i = 0; i < avformat_index_get_entries_count(stream_); ++i) {
    const AVIndexEntry& picture = *avformat_index_get_entry(stream_, i);
    if (picture.pos > static_cast<int64_t>(file_.size()) - picture.size) return true;
  }
  return false;
}

bool VideoDecoder::next() {
  for (int errors = 0; !over_;) {
    const int received = avcodec_receive_frame(codec_.get(), frame_.get());
    if (received >= 0) {
      take_frame();
      return true;
    }
    if (received == AVERROR(ENOMEM)) throw std::bad_alloc();
    if (received != AVERROR(EAGAIN) && received != AVERROR_EOF) {
      count_damage();
      over_ = draining_ && ++errors > kErrorsWhileDraining;
      continue;
    }
    over_ = draining_ || received == AVERROR_EOF;
    if (over_) break;
    const bool more = read_packet();
    draining_ = !more;
    const int sent = avcodec_send_packet(codec_.get(), more ? packet_.get() : nullptr);
    if (sent == AVERROR(ENOMEM)) throw std::bad_alloc();
    if (sent < 0 && sent != AVERROR_EOF) count_damage();
  }
  return false;
}

void VideoDecoder::take_frame() {
  const AVFrame& frame = *frame_;
  const bool has_stamp = frame.best_effort_timestamp != AV_NOPTS_VALUE;
  time_ =
      times_->next(has_stamp ? std::optional(frame.best_effort_timestamp) : std::nullopt, frame.pkt_duration);
  if (frame.decode_error_flags) count_damage();
  ++frames_;
  if (frame.decode_error_flags) return;
  damages_ += std::exchange(damages_at_end_, 0);
  whole_ = frames_;
}

// Before the first whole frame nothing counts: a recording may begin in the midst of a stream.
void VideoDecoder::count_damage() {
  if (whole_ == 0) return;
  if (damages_ + damages_at_end_ == 0) first_damage_ = frames_;
  ++damages_at_end_;
}

Image VideoDecoder::image() {
  const AVFrame& frame = *frame_;
  const auto format = static_cast<AVPixelFormat>(frame.format);
  scaler_.reset(sws_getCachedContext(scaler_.release(), frame.width, frame.height, format, frame.width,
                                     frame.height, AV_PIX_FMT_RGB24, SWS_BICUBIC, nullptr, nullptr, nullptr));
  // Rows that start at multiples of 64 bytes: those that follow each other closely are not always filled.
  const auto rgb = owned(av_frame_alloc());
  rgb->format = AV_PIX_FMT_RGB24;
  rgb->width = frame.width;
  rgb->height = frame.height;
  if (av_frame_get_buffer(rgb.get(), 64) < 0) throw std::bad_alloc();
  if (!scaler_ || sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, rgb->data,
                            rgb->linesize) != frame.height)
    throw Error(ErrorKind::Format,
                fmt::format("{}: no video (pixels of an unknown kind)", file_.path().string()));
  const cv::Mat lying(rgb->height, rgb->width, CV_8UC3, rgb->data[0], static_cast<size_t>(rgb->linesize[0]));
  const int degrees = rotation(*stream_);
  const bool sideways = degrees == 90 || degrees == 270;
  Image image{sideways ? rgb->height : rgb->width, sideways ? rgb->width : rgb->height, {}};
  image.rgb.resize(lying.total() * 3);
  cv::Mat upright(image.height, image.width, CV_8UC3, image.rgb.data());
  if (degrees == 90)
    cv::rotate(lying, upright, cv::ROTATE_90_CLOCKWISE);
  else if (degrees == 180)
    cv::rotate(lying, upright, cv::ROTATE_180);
  else if (degrees == 270)
    cv::rotate(lying, upright, cv::ROTATE_90_COUNTERCLOCKWISE);
  else
    lying.copyTo(upright);
  return image;
}

TimeBase VideoDecoder::time_base() const { return {stream_->time_base.num, stream_->time_base.den}; }

std::optional<int64_t> VideoDecoder::expected_frames() const {
  constexpr double kMax = 1e12;
  const double seconds = format_->duration > 0 ? static_cast<double>(format_->duration) / AV_TIME_BASE : 0;
  const double shown = seconds * av_q2d(stream_->avg_frame_rate);  // an edit list may hide what is counted
  double frames = stream_->nb_frames > 0 ? static_cast<double>(stream_->nb_frames) : kMax;
  if (shown >= 1) frames = std::min(frames, std::round(shown));
  if (frames >= kMax) return std::nullopt;
  return static_cast<int64_t>(frames);
}

std::string VideoDecoder::problem() const {
  const std::string name = file_.path().string();
  if (frames_ == 0) return fmt::format("{}: no video (gives no frame)", name);
  if (whole_ == 0) return fmt::format("{}: is damaged from its first frame on", name);
  std::string text = name + ":";
  if (damages_ > 0) text += fmt::format(" is damaged after frame {}", first_damage_ - 1);
  if (damages_ > 1) text += fmt::format(" and in {} more places", damages_ - 1);
  if (!torn_ && damages_at_end_ == 0) return damages_ > 0 ? text : std::string();
  if (damages_ > 0) text += ", and";
  return fmt::format("{} breaks off after frame {}", text, whole_ - 1);
}

}  // namespace tyto::apps
