#include "apps/console.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

namespace tyto::apps {
namespace {

volatile std::sig_atomic_t pending_signal = 0;

bool quiet = false;

const char* clear_line() { return ::isatty(STDERR_FILENO) ? "\r\033[K" : ""; }

// In one piece, so that sentences of several threads stay apart. One that cannot be written is nobody's
// error.
void say(const std::string& sentence) {
  std::fputs(fmt::format("{}tyto: {}\n", clear_line(), for_terminal(sentence)).c_str(), stderr);
}

}  // namespace

std::string for_terminal(std::string text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  for (size_t i = 0; i < text.size(); ++i) {
    if (byte(i) < ' ' || byte(i) == 0x7F) text[i] = '_';
    // U+0080 to U+009F, two bytes in UTF-8
    if (byte(i) == 0xC2 && i + 1 < text.size() && byte(i + 1) >= 0x80 && byte(i + 1) <= 0x9F)
      text.replace(i, 2, "_");
  }
  return text;
}

void set_quiet() { quiet = true; }

void notice(const std::string& sentence) {
  if (!quiet) say(sentence);
}

void warning(const std::string& sentence) { say(sentence); }

Progress::Progress(std::string what, int64_t total)
    : what_(for_terminal(std::move(what))),
      total_(total),
      visible_(::isatty(STDERR_FILENO) && total > 0),
      start_(std::chrono::steady_clock::now()) {}

Progress::~Progress() {
  if (visible_) std::fputs(clear_line(), stderr);
}

void Progress::advance(int64_t count) {
  using namespace std::chrono_literals;
  done_ += count;
  const auto now = std::chrono::steady_clock::now();
  if (!visible_ || (now - drawn_ < 100ms && done_ < total_)) return;
  drawn_ = now;
  constexpr int kCells = 24;
  const int full = static_cast<int>(kCells * std::min(done_, total_) / total_);
  const double left = static_cast<double>(std::max<int64_t>(total_ - done_, 0)) / std::max(rate(), 1e-9);
  fmt::print(stderr, "\r\033[K{} [{:=>{}}{:>{}}] {}/{}  {:.1f}/s  {:.0f} s left", what_, "", full, "",
             kCells - full, done_, total_, rate(), left);
  std::fflush(stderr);
}

double Progress::rate() const {
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
  return elapsed.count() > 0 ? static_cast<double>(done_) / elapsed.count() : 0;
}

void install_interrupt_handlers() {
  struct sigaction action {};
  action.sa_handler = [](int signal) { pending_signal = signal; };
  action.sa_flags = SA_RESETHAND | SA_RESTART;  // the second signal ends the process
  for (int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
}

void check_interrupted() {
  if (pending_signal != 0) throw Interrupted{pending_signal};
}

}  // namespace tyto::apps
