// SPDX-License-Identifier: Apache-2.0
// One Asio loop on its own thread. Whatever wakes it, frames that are queued are judged first: after a pause
// the core must hear what was said before it judges who was silent.
#include "nlbd/protocol.hh"

#include <sys/timerfd.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <future>
#include <map>
#include <mutex>
#include <numeric>
#include <thread>

#include "core/group_carriage.hh"
#include "linux/named_thread.hh"
#include "linux/policy_listener.hh"
#include "linux/realtime.hh"
#include "nlbd/connection_table.hh"
#include "nlbd/incarnation.hh"
#include "nlbd/resume_file.hh"
#include "wire/arp.hh"
#include "wire/carrier.hh"
#include "wire/tag.hh"

namespace nlb {
namespace {

namespace asio = boost::asio;
constexpr uint16_t kArpEtherType = 0x0806;
constexpr int kArpAtOnce = 64;       // the segment's ARP is anybody's: heartbeats go first
constexpr int kFramesAtOnce = 4096;  // bounds the time between two looks at the timer
// Under a flood of forged frames a wake-up for each would cost more than the frames themselves. While more
// than so many are refused within kFloodWindow, the queue is read once in kFloodPause: late by less than any
// lease or timer notices.
constexpr uint64_t kFloodFrames = 50;
constexpr Nanos kFloodWindow = 10 * kMillisecond;
constexpr auto kFloodPause = std::chrono::milliseconds(1);
constexpr auto kLookPeriod = std::chrono::milliseconds(500);

class AsioProtocol final : public Protocol {
 public:
  AsioProtocol(const ProtocolSetup& setup, Datapath& datapath, SteeringSpeaker& speaker, NoticeSink sink,
               RequestSink requests)
      : setup_(setup),
        datapath_(datapath),
        speaker_(speaker),
        connections_(datapath),
        sink_(std::move(sink)),
        requests_(std::move(requests)),
        codec_(setup.keys, setup.cluster_name, setup.primary_vip),
        tag_keys_(wire::tag_keys_of(setup.keys)),
        resume_file_(setup.resume_path),
        host_(setup.settings, boottime_now()),
        resumed_(take_up_former_view()),
        begun_(resumed_ || !datapath.adopted() || setup.resume_path.empty()),
        carriage_(setup.settings.mode),
        exchange_(setup.settings.id, host_.settings().incarnation,
                  [this](HostId id) { return line_to(id); }) {}

  ~AsioProtocol() override {
    asio::post(io_, [this] { io_.stop(); });
    if (thread_.joinable()) thread_.join();
    asio::post(scan_io_, [this] { scan_io_.stop(); });
    if (scanner_.joinable()) scanner_.join();
    for (asio::posix::stream_descriptor* descriptor : {&frames_fd_, &carried_fd_, &arp_fd_, &switch_fd_})
      if (descriptor->is_open()) descriptor->release();  // owned by the frame sockets
  }

  Result<void> open() {
    auto frames = FrameSocket::open(setup_.interface, wire::kEtherType, setup_.group);
    if (!frames) return tl::unexpected(frames.error());
    auto arp = FrameSocket::open(setup_.interface, kArpEtherType, std::nullopt);
    if (!arp) return tl::unexpected(arp.error());
    auto notices = PolicyListener::open(setup_.interface);
    if (!notices) return tl::unexpected(notices.error());
    switch_ = std::move(*notices);
    if (hears_ip()) {
      auto carried =
          FrameSocket::open_ip(setup_.interface, carrier_type(), wire::kCarrierProtocol, setup_.cluster_mac);
      if (!carried) return tl::unexpected(carried.error());
      carried_ = std::move(*carried);
      carried_fd_.assign(carried_->fd());
    }
    frames_ = std::move(*frames);
    arp_ = std::move(*arp);
    const int timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer < 0) return fail("cannot make a timer", errno);
    timer_fd_.assign(timer);
    frames_fd_.assign(frames_->fd());
    arp_fd_.assign(arp_->fd());
    switch_fd_.assign(switch_->fd());
    datapath_.forget_senders();  // this incarnation has heard nobody yet
    tell_tag_keys();
    if (!resumed_) datapath_.set_lease(0);  // before the first frame: this incarnation is fresh, and says so
    write_states();
    thread_ = named_thread("nlbd-protocol", [this] { run(); });
    scanner_ = named_thread("nlbd-scanner", [this] { run_scanner(); });
    return {};
  }

  void call(const Work& work) override {
    on_this_thread([&] {
      drain();
      perform(work(host_, boottime_now()));
    });
  }

  void inspect(const std::function<void(const core::Host&, Nanos)>& look) override {
    on_this_thread([&] { look(host_, boottime_now()); });
  }

  void ask(HostId target, std::string text, Nanos timeout, Answered done) override {
    asio::post(io_, [this, target, question = std::move(text), timeout, answered = std::move(done)] {
      asked_.emplace(++token_, answered);
      carry_out(exchange_.ask(token_, target, question, timeout, boottime_now()));
    });
  }

  void answer(const core::MemberRequest& to, std::string text) override {
    asio::post(io_,
               [this, to, said = std::move(text)] { carry_out(exchange_.answer(to, said, boottime_now())); });
  }

  void use_keys(const KeySet& keys) override {
    call([&](core::Host&, Nanos) {
      codec_ = wire::Codec(keys, setup_.cluster_name, setup_.primary_vip);
      tag_keys_ = wire::tag_keys_of(keys);
      tell_tag_keys();
      return core::Actions{};
    });
  }

  void use_source(const MacAddress& source) override {
    call([&](core::Host&, Nanos) {
      setup_.source_mac = source;
      speaker_.use_source(source);
      return core::Actions{};
    });
  }

  void use_address6(const IpAddress& dedicated_ip6) override {
    call([&](core::Host&, Nanos) {
      setup_.dedicated_ip6 = dedicated_ip6;
      return core::Actions{};
    });
  }

  ProtocolCounters counters() override {
    ProtocolCounters result;
    inspect([&](const core::Host& host, Nanos) {
      result = counters_;
      for (std::size_t i = 0; i < wire::kRefusalCount; ++i) result.refused[i] += host.refusals()[i];
    });
    return result;
  }

  LiveConnections last_scan() override {
    const std::lock_guard lock(scan_mutex_);
    return last_scan_;
  }

  LiveConnections translated_connections() override { return connections_.translated(); }

  Nanos translated_seen_at() const override { return connections_.translated_seen_at(); }

  std::string not_realtime_because() const override { return not_realtime_; }
  bool resumed() const override { return resumed_; }

 private:
  // Waits. What `work` throws is thrown where it was asked for: here it would end the daemon.
  template <typename Work>
  void on_this_thread(const Work& work) {
    std::packaged_task<void()> task(work);
    auto done = task.get_future();
    asio::post(io_, [&] { task(); });
    done.get();
  }

  void run() {
    not_realtime_ = become_realtime();
    wait_for(frames_fd_);
    if (carried_) wait_for(carried_fd_);
    wait_for_arp();
    wait_for_switch();
    wait_for_timer();
    perform(host_.on_tick(boottime_now()));
    if (resumed_) perform(host_.ask_members(boottime_now()));
    auto guard = asio::make_work_guard(io_);
    io_.run();
  }

  void run_scanner() {
    look_around();
    auto guard = asio::make_work_guard(scan_io_);
    scan_io_.run();
  }

  // Between scans, which are rare: the guard must know of translated connections before buckets move.
  void look_around() {
    connections_.look_around(states_written_);
    look_timer_.expires_after(kLookPeriod);
    look_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) look_around();
    });
  }

  void wait_for(asio::posix::stream_descriptor& socket) {
    socket.async_wait(asio::posix::stream_descriptor::wait_read,
                      [this, &socket](const boost::system::error_code& error) {
                        if (!error) read_frames(socket);
                      });
  }

  // The thread sleeps here rather than in the loop: epoll would wake it for every frame.
  void read_frames(asio::posix::stream_descriptor& socket) {
    const bool more = !drain();
    arm_timer();
    if (is_flooded(boottime_now())) std::this_thread::sleep_for(kFloodPause);
    if (more) return asio::post(io_, [this, &socket] { read_frames(socket); });
    wait_for(socket);
  }

  // Where the cluster MAC is a group, a switch may sort frames to it by what is in them (IGMP snooping).
  [[nodiscard]] bool hears_ip() const { return setup_.settings.mode != ClusterMode::unicast; }
  [[nodiscard]] uint16_t carrier_type() const {
    return setup_.primary_vip.is_v4() ? wire::kIpv4EtherType : wire::kIpv6EtherType;
  }

  bool is_flooded(Nanos now) {
    const uint64_t refused =
        std::accumulate(counters_.refused.begin(), counters_.refused.end(), uint64_t{0}) +
        std::accumulate(host_.refusals().begin(), host_.refusals().end(), uint64_t{0});
    const bool many = refused - refused_before_ > kFloodFrames;
    if (now - flood_window_ >= kFloodWindow) {
      flooded_ = many;
      refused_before_ = refused;
      flood_window_ = now;
    }
    return flooded_ || many;
  }

  void wait_for_arp() {
    arp_fd_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [this](const boost::system::error_code& error) {
                         if (error) return;
                         read_arp();
                       });
  }

  // A fence must not wait for a thread that others keep from the processor. Policies are the main thread's.
  void wait_for_switch() {
    switch_fd_.async_wait(asio::posix::stream_descriptor::wait_read,
                          [this](const boost::system::error_code& error) {
                            if (error) return;
                            drain();
                            switch_->read();
                            for (const auto& notice : switch_->take_notices())
                              perform(host_.on_fence(notice, new_incarnation(), boottime_now()));
                            wait_for_switch();
                          });
  }

  // What was read from the kernel in one go waits in the socket, where epoll does not see it: as long as
  // there may be more, the next turn is asked for.
  void read_arp() {
    drain();
    for (int i = 0; i < kArpAtOnce; ++i) {
      const auto frame = arp_->receive();
      if (!frame) return wait_for_arp();
      if (const auto answer = parse_arp_reply(frame->payload))
        perform(host_.on_kernel_answer(answer->address, boottime_now()));
    }
    asio::post(io_, [this] { read_arp(); });
  }

  void wait_for_timer() {
    timer_fd_.async_wait(asio::posix::stream_descriptor::wait_read,
                         [this](const boost::system::error_code& error) {
                           if (error) return;
                           uint64_t expirations = 0;
                           [[maybe_unused]] const auto size =
                               read(timer_fd_.native_handle(), &expirations, sizeof expirations);
                           drain();
                           if (boottime_now() >= host_.next_wakeup()) perform(host_.on_tick(boottime_now()));
                           if (boottime_now() >= exchange_.next_wakeup())
                             carry_out(exchange_.on_tick(boottime_now()));
                           arm_timer();
                           wait_for_timer();
                         });
  }

  // True when nothing is left.
  bool drain() {
    const bool all = drain(*frames_, [this](const ReceivedFrame& frame) { judge_ethernet(frame); });
    if (!carried_) return all;
    return drain(*carried_, [this](ReceivedFrame& frame) { judge_packet(frame); }) && all;
  }

  template <typename Judge>
  static bool drain(FrameSocket& socket, const Judge& judge) {
    for (int i = 0; i < kFramesAtOnce; ++i) {
      auto received = socket.receive();
      if (!received) return true;
      judge(*received);
    }
    return false;
  }

  void judge_ethernet(const ReceivedFrame& received) {
    ++counters_.received;
    if (const auto frame = decode(received)) {
      if (received.destination == setup_.group && carriage_.comes_in_ip_too(*frame)) return;
      judge(*frame, received.source, false);
    }
  }

  // To the group: said to all. To the VIP: a copy that came the clients' way.
  void judge_packet(ReceivedFrame& packet) {
    const auto copy = wire::carried_in(packet.payload, setup_.primary_vip);
    const auto inside = copy || !carriage_.in_ip() ? copy : wire::carried_in(packet.payload, ip_group_);
    if (!inside) return;
    ++counters_.received;
    packet.payload.assign(inside->begin(), inside->end());
    if (const auto frame = decode(packet)) judge(*frame, packet.source, copy.has_value());
  }

  [[nodiscard]] std::optional<wire::Frame> decode(const ReceivedFrame& received) {
    auto frame = codec_.decode(received.payload);
    if (frame) return std::move(*frame);
    const auto reason = static_cast<std::size_t>(frame.error());
    ++counters_.refused[reason];
    counters_.refused_from[reason] = received.source;
    return std::nullopt;
  }

  void judge(const wire::Frame& frame, const MacAddress& source, bool copy) {
    if (const auto* part = std::get_if<wire::MessagePart>(&frame)) return judge(*part, source);
    if (const auto* heartbeat = std::get_if<wire::Heartbeat>(&frame))
      carriage_.on_heartbeat(*heartbeat, boottime_now());
    const auto before = host_.refusals();
    perform(copy ? host_.on_copy(frame, boottime_now()) : host_.on_frame(frame, boottime_now()));
    if (host_.refusals() == before) return remember_sender(frame);
    for (std::size_t i = 0; i < wire::kRefusalCount; ++i)
      if (host_.refusals()[i] != before[i]) counters_.refused_from[i] = source;
  }

  // A switch that does not know the target yet sends its frames to all.
  void judge(const wire::MessagePart& part, const MacAddress& source) {
    if (part.target != setup_.settings.id) return;
    const Nanos now = boottime_now();
    if (const auto refusal = host_.judge_message(part, now)) {
      ++counters_.refused[static_cast<std::size_t>(*refusal)];
      counters_.refused_from[static_cast<std::size_t>(*refusal)] = source;
      return;
    }
    carry_out(exchange_.on_part(part, now));
  }

  [[nodiscard]] std::optional<core::Exchange::Line> line_to(HostId id) const {
    if (!host_.hears(id, boottime_now())) return std::nullopt;
    const auto& peer = host_.peers()[id];
    return core::Exchange::Line{peer.incarnation, static_cast<uint32_t>(peer.sequence)};
  }

  void carry_out(core::Exchange::Output output) {
    for (const wire::MessagePart& part : output.sends)
      say({core::Send::To::peer, host_.peers()[part.target].heartbeat.adapter_mac, part});
    for (const core::MemberRequest& request : output.requests) requests_(request);
    for (core::MemberAnswer& answer : output.answers) {
      const auto asked = asked_.extract(answer.token);
      asked.mapped()(std::move(answer.text));
    }
    arm_timer();
  }

  // The core has taken this frame: its sender needs no budget from now on.
  void remember_sender(const wire::Frame& frame) {
    const wire::Header& header = wire::header_of(frame);
    uint64_t& believed = believed_[header.sender];
    if (believed == header.incarnation) return;
    believed = header.incarnation;
    datapath_.believe_sender(header.sender, header.incarnation, header.sequence);
  }

  void tell_tag_keys() {
    std::vector<HeartbeatKey> keys;
    for (const wire::TagKey& key : tag_keys_) keys.push_back({key.id, key.octets});
    datapath_.set_heartbeat_keys(keys);
  }

  void arm_timer() {
    const Nanos at = std::max<Nanos>(std::min(host_.next_wakeup(), exchange_.next_wakeup()), 1);
    if (at == armed_for_) return;
    armed_for_ = at;
    itimerspec spec{};
    spec.it_value = {at / kSecond, at % kSecond};
    timerfd_settime(timer_fd_.native_handle(), TFD_TIMER_ABSTIME, &spec, nullptr);
  }

  // An earlier daemon's maps, and its lease still running: it was here a moment ago.
  bool take_up_former_view() {
    const auto left = datapath_.adopted() ? resume_file_.read(codec_) : std::nullopt;
    if (left && host_.resume(*left, datapath_.lease(), boottime_now())) return true;
    resume_file_.write({}, codec_);
    return false;
  }

  void leave_for_successor() {
    const auto mark = host_.resume_mark();
    if (mark == left_) return;
    left_ = mark;
    resume_file_.write(host_.resume_point(), codec_);
  }

  // Order matters: what a successor finds, states and lease are in place before anything is said or looked
  // at.
  void perform(core::Actions actions) {
    leave_for_successor();
    exchange_.begin_anew(host_.settings().incarnation);
    if (actions.states_changed) write_states();
    if (actions.lease) datapath_.set_lease(*actions.lease);
    for (const core::Send& send : actions.sends) say(send);
    for (const core::KernelProbe& probe : actions.probes)
      (void)arp_->send(setup_.source_mac, probe.mac, arp_probe(setup_.source_mac, probe.address));
    if (actions.scan) scan(*actions.scan);
    for (const core::Notice& notice : actions.notices) sink_(notice);
    if (actions.visits) return tell_visits();
    arm_timer();
  }

  void tell_visits() {
    const Nanos now = boottime_now();
    const core::Keeper& keeper = host_.keeper();
    perform(host_.on_visits(datapath_.take_visits(keeper.slots(), keeper.longest_timeout(), now), now));
  }

  void write_states() {
    for (const std::size_t slot : host_.keeper().slots()) {
      const BucketSet& kept = host_.keeper().kept()[slot];
      if (kept_written_[slot] && *kept_written_[slot] == kept) continue;
      datapath_.set_kept(slot, kept);
      kept_written_[slot] = kept;
    }
    write_buckets();
  }

  void write_buckets() {
    std::vector<std::pair<std::size_t, SlotStates>> fresh;
    bool grows = false;
    for (std::size_t slot : host_.ownership().slots()) {
      const SlotStates states = host_.states(slot);
      if (written_[slot] && *written_[slot] == states) continue;
      grows = grows || speaker_.would_grow(slot, states);
      fresh.emplace_back(slot, states);
    }
    if (fresh.empty()) return;
    const SteeringSpeaker::Change change(speaker_, grows);
    for (const auto& [slot, states] : fresh) {
      datapath_.set_buckets(slot, states);
      speaker_.use_states(slot, states);
      written_[slot] = states;
      ++states_written_;
    }
  }

  void say(const core::Send& send) {
    auto bytes = begun_ ? codec_.encode(send.frame) : codec_.encode(before_it_begins(send.frame));
    wire::append_tag(tag_keys_.front(), bytes);
    switch (send.to) {
      case core::Send::To::group:
        if (carriage_.in_ip()) put_in_ip(bytes, ip_group_);
        if (carriage_.in_ethernet(boottime_now())) put(*frames_, setup_.group, bytes);
        return;
      case core::Send::To::cluster_mac:
        if (carried_) return put_in_ip(bytes, setup_.primary_vip);
        return put(*frames_, setup_.cluster_mac, bytes);
      case core::Send::To::peer:
        return put(*frames_, send.mac, bytes);
    }
  }
  void put(FrameSocket& socket, const MacAddress& to, std::span<const uint8_t> bytes) {
    if (socket.send(setup_.source_mac, to, bytes)) ++counters_.sent;
  }
  void put_in_ip(std::span<const uint8_t> bytes, const IpAddress& to) {
    const IpAddress& from = setup_.primary_vip.is_v4() ? host_.settings().dedicated_ip : setup_.dedicated_ip6;
    put(*carried_, setup_.cluster_mac, wire::carry(bytes, from, to));
  }

  // Until this host takes part, it speaks as one that restarts: there may be connections of the daemon before
  // this one, and a host that has merely left has none for others to mind.
  wire::Frame before_it_begins(wire::Frame frame) {
    if (auto* heartbeat = std::get_if<wire::Heartbeat>(&frame)) {
      begun_ = heartbeat->state != core::HostState::stopped;
      if (!begun_) heartbeat->flags |= wire::kRestarting;
    }
    return frame;
  }

  void scan(uint32_t token) {
    asio::post(scan_io_, [this, token, states = states_written_.load()] {
      auto live = connections_.read(states);
      if (!live) {
        asio::post(io_, [this, token] { perform(host_.on_scan_failed(token, boottime_now())); });
        return;
      }
      core::SlotBuckets buckets(live->buckets.begin(), live->buckets.end());
      uint64_t count = 0;
      for (uint32_t connections : live->connections) count += connections;
      {
        const std::lock_guard lock(scan_mutex_);
        last_scan_ = std::move(*live);
      }
      asio::post(io_, [this, token, count, found = std::move(buckets)] {
        drain();
        perform(host_.on_scan(token, found, count, boottime_now()));
      });
    });
  }

  ProtocolSetup setup_;
  Datapath& datapath_;
  SteeringSpeaker& speaker_;
  ConnectionTable connections_;
  NoticeSink sink_;
  RequestSink requests_;
  wire::Codec codec_;
  std::vector<wire::TagKey> tag_keys_;
  std::array<uint64_t, kMaxHosts + 1> believed_{};  // incarnations, by sender
  ResumeFile resume_file_;
  core::ResumeMark left_;
  core::Host host_;
  bool resumed_ = false;
  bool begun_ = true;  // false: made beside an earlier daemon's maps, and to be started at once
  core::GroupCarriage carriage_;
  IpAddress ip_group_ = igmp_group_of(setup_.cluster_mac);  // of mode igmp
  core::Exchange exchange_;
  uint64_t token_ = 0;
  std::map<uint64_t, Answered> asked_;
  std::unique_ptr<FrameSocket> frames_, carried_, arp_;  // carried_: of IP, where the cluster MAC is a group
  asio::io_context io_{1}, scan_io_{1};
  asio::steady_timer look_timer_{scan_io_};
  std::unique_ptr<PolicyListener> switch_;
  asio::posix::stream_descriptor frames_fd_{io_}, carried_fd_{io_}, arp_fd_{io_}, switch_fd_{io_},
      timer_fd_{io_};
  uint64_t refused_before_ = 0;  // when the window began
  Nanos flood_window_ = 0;       // its beginning
  bool flooded_ = false;         // the window before it was
  Nanos armed_for_ = 0;
  std::array<std::optional<SlotStates>, kMaxSlots> written_;
  std::atomic<uint64_t> states_written_{0};
  std::array<std::optional<BucketSet>, kMaxSlots> kept_written_;
  ProtocolCounters counters_;
  std::mutex scan_mutex_;
  LiveConnections last_scan_;
  std::string not_realtime_;
  std::thread thread_, scanner_;
};

}  // namespace

Result<std::unique_ptr<Protocol>> Protocol::start(const ProtocolSetup& setup, Datapath& datapath,
                                                  SteeringSpeaker& speaker, NoticeSink sink,
                                                  RequestSink requests) {
  auto protocol =
      std::make_unique<AsioProtocol>(setup, datapath, speaker, std::move(sink), std::move(requests));
  if (auto opened = protocol->open(); !opened) return tl::unexpected(opened.error());
  return protocol;
}

}  // namespace nlb
