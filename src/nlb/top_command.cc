// SPDX-License-Identifier: Apache-2.0
// `nlb top`: asks, draws, waits for a key or the next round. Each frame is one write over the one before it,
// line by line, so that nothing flickers; the terminal is given back as it was however this ends.
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <iostream>

#include "control/control.hh"
#include "nlb/commands.hh"
#include "nlb/json_field.hh"
#include "nlb/named_member.hh"
#include "nlb/output.hh"
#include "nlb/top_screen.hh"

namespace nlb {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;
constexpr int kAskTimeoutMs = 3000;
constexpr double kLeastInterval = 0.2, kMostInterval = 10;
constexpr std::size_t kEventsKept = 200;

volatile std::sig_atomic_t ended = 0, resized = 0;

double seconds_now() {
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

std::string clock_text() {
  const auto now = std::time(nullptr);
  std::tm local{};
  char text[16];
  localtime_r(&now, &local);
  std::strftime(text, sizeof text, "%H:%M:%S", &local);
  return text;
}

TerminalSize size_of_terminal() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0)
    return {size.ws_col, size.ws_row};
  return {};
}

// The screen of its own, keys one by one and unseen; all of it given back at the end.
class Terminal {
 public:
  Terminal() {
    tcgetattr(STDIN_FILENO, &before_);
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_oflag &= ~static_cast<tcflag_t>(OPOST);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    put("\x1b[?1049h\x1b[?25l\x1b[2J");
  }
  ~Terminal() {
    put("\x1b[?25h\x1b[?1049l");
    tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  static void draw(const std::vector<std::string>& lines) {
    std::string frame = "\x1b[H";
    for (std::size_t i = 0; i < lines.size(); ++i) frame += (i == 0 ? "" : "\r\n") + lines[i] + "\x1b[K";
    put(frame + "\x1b[J");
  }

  // '\0' when none came within the time, or a signal did.
  static char key(double timeout_s) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, std::max(0, static_cast<int>(timeout_s * 1000))) <= 0) return '\0';
    char pressed = '\0';
    if (read(STDIN_FILENO, &pressed, 1) <= 0) ended = 1;  // the terminal is gone
    return pressed;
  }

 private:
  static void put(const std::string& text) {
    for (std::size_t done = 0; done < text.size();) {
      const auto size = write(STDOUT_FILENO, text.data() + done, text.size() - done);
      if (size < 0 && errno != EINTR) return;
      done += static_cast<std::size_t>(std::max<ssize_t>(0, size));
    }
  }
  termios before_{};
};

class Top {
 public:
  Top(const Invocation& invocation, Style style)
      : invocation_(invocation), hosts_(invocation.request.value("hosts", json("all"))), style_(style) {
    view_.interval_s = std::clamp(invocation.timeout_s.value_or(1), kLeastInterval, kMostInterval);
  }

  Result<void> ask_round() {
    if (!invocation_.member.empty())
      if (auto found = find_member(); !found) return found;
    TopAnswers fresh;
    for (const auto& [command, answer] : {std::pair{"query", &fresh.query},
                                          {"connections", &fresh.connections},
                                          {"counters", &fresh.counters}})
      if (auto done = ask_one({{"command", command}, {"hosts", hosts_}}, *answer); !done) return done;
    fresh.at_s = seconds_now();
    json ports = {{"command", "queryport"}, {"port", "all"}}, events = {{"command", "events"}};
    if (hosts_ != "all") ports["hosts"] = events["hosts"] = hosts_;
    if (!log_.empty()) events.update({{"log", log_}, {"after", last_event_}});
    if (auto done = ask_one(ports, fresh.queryport); !done) return done;
    json told;
    if (auto done = ask_one(events, told); !done) return done;
    take_events(told);
    before_ = std::move(now_);
    now_ = std::move(fresh);
    figures_ = top_figures(now_, before_);
    return {};
  }

  [[nodiscard]] std::vector<std::string> screen(TerminalSize size, bool live) {
    view_.live = live;
    if (!view_.paused) view_.clock = clock_text();
    return top_screen(figures_, events_, view_, size, style_);
  }

  int run() {
    if (const auto asked = ask_round(); !asked) return print_failure(invocation_, asked.error());
    Terminal terminal;
    double next = seconds_now() + std::min(view_.interval_s, 0.5);  // the first rates come soon
    while (ended == 0) {
      Terminal::draw(screen(size_of_terminal(), true));
      resized = 0;
      while (ended == 0 && resized == 0) {
        const char pressed = Terminal::key(next - seconds_now());
        if (pressed != '\0') press(pressed);
        if (pressed != '\0' || seconds_now() >= next) break;
      }
      if (seconds_now() < next) continue;
      if (!view_.paused) {
        const auto asked = ask_round();
        view_.trouble = asked ? "" : asked.error().message;
      }
      next = seconds_now() + view_.interval_s;
    }
    return kDone;
  }

  int run_once() {
    for (int round = 0; round < 2; ++round) {
      if (round > 0) usleep(static_cast<useconds_t>(1e6 * view_.interval_s));
      if (const auto asked = ask_round(); !asked) return print_failure(invocation_, asked.error());
    }
    const TerminalSize size = {std::max<std::size_t>(80, size_of_terminal().columns), 0};
    for (const auto& line : screen(size, false)) std::cout << line << "\n";
    std::cout.flush();
    return std::cout ? kDone : kFailed;
  }

 private:
  Result<void> find_member() {
    const auto path = socket_of(invocation_);
    if (!path) return tl::unexpected(path.error());
    const auto query = ask(*path, {{"command", "query"}}, kAskTimeoutMs);
    if (!query) return tl::unexpected(query.error());
    const auto id = member_named(*query, invocation_.member);
    if (!id) return tl::unexpected(id.error());
    hosts_ = json::array({*id});
    return {};
  }

  Result<void> ask_one(const json& request, json& answer) {
    const auto path = socket_of(invocation_);
    if (!path) return tl::unexpected(path.error());
    auto got = ask(*path, request, kAskTimeoutMs);
    if (!got) return tl::unexpected(got.error());
    answer = std::move(*got);
    return {};
  }

  void take_events(const json& told) {
    if (field(told, "log") != log_) events_.clear();
    log_ = field(told, "log");
    last_event_ = number_field(told, "last");
    for (const auto& event : list_field(told, "events")) events_.push_back(event);
    if (events_.size() > kEventsKept)
      events_.erase(events_.begin(), events_.end() - static_cast<std::ptrdiff_t>(kEventsKept));
  }

  void press(char key) {
    const std::string_view orders = "iscad";
    if (const auto order = orders.find(key); order != std::string_view::npos)
      view_.order = static_cast<TopOrder>(order);
    if (key == 'r') view_.reversed = !view_.reversed;
    if (key == 'h' || key == '?') view_.help = !view_.help;
    if (key == ' ') view_.paused = !view_.paused;
    if (key == '+') view_.interval_s = std::min(kMostInterval, view_.interval_s * 2);
    if (key == '-') view_.interval_s = std::max(kLeastInterval, view_.interval_s / 2);
    if (key == 'q') ended = 1;
  }

  Invocation invocation_;
  json hosts_;
  Style style_;
  TopView view_;
  TopAnswers now_, before_;
  TopFigures figures_;
  std::vector<json> events_;
  std::string log_;
  int64_t last_event_ = 0;
};

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { ended = 1; };  // without SA_RESTART: poll() returns
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
  action.sa_handler = [](int) { resized = 1; };
  sigaction(SIGWINCH, &action, nullptr);
}

}  // namespace

int run_top(const Invocation& invocation, const Style& style) {
  if (invocation.json)
    return print_failure(
        invocation, {"top has no JSON; ask query, queryport all, connections, counters, events", kUsage});
  Top top(invocation, style);
  if (invocation.once) return top.run_once();
  if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0)
    return print_failure(invocation,
                         {"top needs a terminal; with --once it prints one frame anywhere", kUsage});
  catch_signals();
  return top.run();
}

}  // namespace nlb
