// Standard error, where progress and messages go; standard output carries results only.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace tyto::apps {

// `text` on one line and without what would steer a terminal: each control character becomes '_'.
std::string for_terminal(std::string text);

void set_quiet();                           // --quiet
void notice(const std::string& sentence);   // "tyto: ..." unless --quiet
void warning(const std::string& sentence);  // "tyto: ..." always

// A bar with rate and time left while a person watches (standard error is a terminal), nothing otherwise.
class Progress {
 public:
  Progress(std::string what, int64_t total);  // what: "extracting"
  ~Progress();
  void advance(int64_t count = 1);
  double rate() const;  // items per second since the start

 private:
  std::string what_;
  int64_t total_ = 0, done_ = 0;
  bool visible_ = false;
  std::chrono::steady_clock::time_point start_, drawn_;
};

// Ctrl-C and kill: the handler only sets a flag; long loops call check_interrupted() between items, and what
// is thrown unwinds to main, which exits with 130 or 143. A second signal ends the process at once.
struct Interrupted {
  int signal;
};
void install_interrupt_handlers();
void check_interrupted();  // throws Interrupted

}  // namespace tyto::apps
