#include "support/survivor.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <causeway/abi/control.hpp>
#include <cstring>
#include <stdexcept>

#include "support/own_holdings.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

constexpr std::byte kGuard{0xa4};
constexpr std::size_t kMemory = 64 << 10;
constexpr std::size_t kLog = 256 << 10;
// Offsets in its memory.
constexpr std::size_t kHello = 0;
constexpr std::size_t kFirst = 1 << 12;  // two receives
constexpr std::size_t kSecond = 3 << 12;
constexpr std::size_t kWindow = 5 << 12;   // what victims write to
constexpr std::size_t kSource = 7 << 12;   // what they read, and what it sends itself
constexpr std::size_t kWitness = 9 << 12;  // the bystander's
// Numbers of descriptors.
enum : std::uint64_t { kHelloId, kFirstId, kSecondId, kLargeId, kSmallId, kWriteId };

constexpr std::chrono::nanoseconds kPatience = 60s;

// Turns of a millisecond at most, until `done`; the watchdog is a minute.
template<typename Done>
[[nodiscard]] bool soon(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!done()) {
        if (std::chrono::steady_clock::now() > deadline)
            return false;
    }
    return true;
}

// Whether some of it is that message, and the rest as it was.
[[nodiscard]] bool is_part_of_message(std::span<const std::byte> bytes, std::uint64_t number,
                                      std::byte before) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] != before && bytes[i] != std::byte{byte_of(number, i)})
            return false;
    }
    return true;
}

QueuePairOptions options_for(CompletionQueue& queue, const char* executor) {
    QueuePairOptions options{.completions = queue};
    options.executor = executor;
    return options;
}

constexpr Access kOpen = Access::exportable | Access::remote_write | Access::remote_read;

}  // namespace

std::string Survivor::Figures::text() const {
    return std::to_string(partitions) + " partitions, " + std::to_string(queue_pairs) +
           " queue pairs, " + std::to_string(regions) + " regions of " +
           std::to_string(registered_bytes) + " bytes; the adapter: " + text_of(adapter) +
           "; the survivor: " + std::to_string(files) + " descriptors, " +
           std::to_string(mappings) + " mappings";
}

// ---- the bystander

Survivor::Bystander::Bystander(const std::string& socket, Partition& partition,
                               const char* executor)
    : other(Partition::attach("bystander", {socket}).value()),
      memory(other.allocate(kMemory, kOpen).value()),
      near_queue(partition.create_completion_queue(64).value()),
      far_queue(other.create_completion_queue(64).value()),
      near(partition.create_queue_pair(options_for(near_queue, executor)).value()),
      far(other.create_queue_pair(options_for(far_queue, executor)).value()),
      listener(partition.listen("bystander").value()) {
    far.connect("survivor/bystander", 0ns).value();
    listener.accept(near, 30s).value();
    if (!soon([&] {
            (void)far_queue.wait(1ms);
            return far.state() == QueuePair::State::connected;
        })) {
        throw std::runtime_error("the bystanders do not connect");
    }
}

// Both ends are polled: a direct send goes on when its sender looks.
void Survivor::Bystander::await(CompletionQueue& queue, std::uint64_t id) {
    const bool came = soon([&] {
        bool found = false;
        for (const Completion& done : queue.poll()) {
            EXPECT_TRUE(done.ok()) << "a bystander's descriptor ended " << name(done.status());
            found |= done.id() == id;
        }
        if (!found && &queue != &far_queue)
            (void)far_queue.wait(0ns);
        return found;
    });
    EXPECT_TRUE(came) << "a bystander waits in vain";
}

void Survivor::Bystander::exchange(Region& here) {
    for (const std::uint32_t size : {kSmall, kLarge}) {
        const std::uint64_t number = kOwn + ++rounds;
        const Slice in = here.slice(kWitness, size);
        fill_message(memory.slice(0, size).bytes(), number);
        near.post_receive(in, rounds).value();
        far.post_send(memory.slice(0, size), rounds, {.signaled = false}).value();
        await(near_queue, rounds);
        EXPECT_TRUE(is_message(in.bytes(), number)) << "a bystander got wrong bytes";
        std::memset(in.data(), static_cast<int>(kGuard), size);
    }
}

void Survivor::Bystander::append(Remote log) {
    fill_message(memory.slice(0, test::kRecord).bytes(), kOwn + ++rounds);
    far.post_append(memory.slice(0, test::kRecord), log, rounds).value();
    await(far_queue, rounds);
}

// ---- the survivor

Survivor::Survivor(const LiveAdapter& adapter, const char* executor)
    : adapter_(adapter),
      executor_(executor),
      partition_(Partition::attach("survivor", {adapter.socket()}).value()),
      memory_(partition_.allocate(kMemory, kOpen).value()),
      queue_(partition_.create_completion_queue(256).value()),
      listener_(partition_.listen("door").value()),
      bystander_(adapter.socket(), partition_, executor) {
    std::memset(memory_.data(), static_cast<int>(kGuard), kMemory);
    fill_message(memory_.slice(kSource, kLarge).bytes(), kOwn);
    renew_log();
    bystander_.exchange(memory_);
    (void)adapter_.settled();
    before_ = figures();
}

void Survivor::renew_log() {
    reader_.reset();
    log_ = Region();
    log_ =
        partition_.allocate(kLog, direct() ? Access::exportable | Access::append : Access::append)
            .value();
    reader_.emplace(log_.bytes());
    bystander_.append(log_.remote());  // direct: lets go of the old one, and maps this
    (void)reader_->next();
    log_end_ = direct() ? 0 : test::kRecord;
}

Killer::Order Survivor::order(Act act, std::uint64_t number) const {
    Killer::Order order;
    order.act = static_cast<std::uint32_t>(act);
    order.number = number;
    order.window = memory_.remote(kWindow);
    order.source = memory_.remote(kSource);
    order.log = log_.remote();
    return order;
}

void Survivor::begin(const Killer::Order& order) {
    order_ = order;
    met_ = false;
    theirs_.reset();
    outstanding_.clear();
    const Act act = static_cast<Act>(order.act);
    if (!is_connected(act) && act != Act::connect && act != Act::accept)
        return;
    pair_ = partition_.create_queue_pair(options_for(queue_, executor_.c_str())).value();
    const auto post = [this](std::size_t offset, std::uint32_t size, std::uint64_t n) {
        pair_.post_receive(memory_.slice(offset, size), order_.number * 16 + n).value();
        expect(n);
    };
    if (is_connected(act))
        post(kHello, hello_size(), kHelloId);
    post(kFirst, kLarge, kFirstId);
    post(kSecond, kLarge, kSecondId);
}

// Its own share: a message, of which one at most has a receive, and what waits behind it.
void Survivor::post_own() {
    const std::uint64_t base = order_.number * 16;
    const auto note = [this](const Result<void>& posted, std::uint64_t n) {
        if (posted.has_value())
            expect(n);
        else
            EXPECT_EQ(posted.error().code, ErrorCode::peer_gone) << posted.error().text;
    };
    note(pair_.post_send(memory_.slice(kSource, kLarge), base + kLargeId), kLargeId);
    note(pair_.post_send(memory_.slice(kSource, kSmall), base + kSmallId), kSmallId);
    if (theirs_)
        note(pair_.post_write(memory_.slice(kSource, kLarge), *theirs_, base + kWriteId), kWriteId);
}

void Survivor::meet(const std::function<bool()>& died) {
    const Act act = static_cast<Act>(order_.act);
    if (act == Act::accept) {
        // Of a victim that listens already.
        if (const auto begun = pair_.connect("victim/door", 0ns); begun.has_value()) {
            met_ = true;
            post_own();
        }
        return;
    }
    if (!is_connected(act) && act != Act::connect)
        return;
    const bool came = soon([&] {
        const bool over = died();
        const auto accepted = listener_.accept(pair_, 0ns);
        met_ = accepted.has_value() || pair_.state() != QueuePair::State::idle;
        if (!met_ && !over)
            ::usleep(100);
        return met_ || over;
    });
    EXPECT_TRUE(came) << "victim " << order_.number << " does not connect";
    if (!is_connected(act) || !met_)
        return;
    const std::uint64_t hello = order_.number * 16 + kHelloId;
    const bool told = soon([&] {
        take(queue_.wait(1ms));
        return outstanding_.at(hello).has_value() || died();
    });
    EXPECT_TRUE(told) << "victim " << order_.number << " does not say where it is";
    if (outstanding_.at(hello) != Status::success)
        return;
    Remote theirs{};
    std::memcpy(&theirs, memory_.data() + kHello, sizeof theirs);
    theirs_ = theirs;
    post_own();
}

void Survivor::attend(const std::function<bool()>& died) {
    EXPECT_TRUE(soon([&] {
        const bool over = died();
        if (pair_.raw() != nullptr)
            take(queue_.poll());
        return over;
    })) << "victim "
        << order_.number << " does not die";
}

void Survivor::take(const CompletionBatch& batch) {
    EXPECT_EQ(batch.error(), ErrorCode::none);
    for (const Completion& done : batch) {
        const auto found = outstanding_.find(done.id());
        if (found == outstanding_.end()) {
            ADD_FAILURE() << "victim " << order_.number << ": descriptor " << done.id() % 16
                          << " of " << done.id() / 16 << " ended, which was not posted";
            continue;
        }
        EXPECT_FALSE(found->second.has_value())
            << "victim " << order_.number << ": descriptor " << done.id() % 16 << " ended twice";
        found->second = done.status();
        const Status status = done.status();
        // What is deregistered cannot be written to.
        const bool refused =
            static_cast<Act>(order_.act) == Act::deregister && status == Status::remote_access;
        EXPECT_TRUE(done.ok() || status == Status::peer_gone || status == Status::flushed ||
                    refused)
            << "victim " << order_.number << ": descriptor " << done.id() % 16 << " ended "
            << name(status);
        if (done.ok() && done.id() % 16 == kFirstId) {
            const Act act = static_cast<Act>(order_.act);
            EXPECT_EQ(done.length(), act == Act::send_small ? kSmall : kLarge);
            EXPECT_EQ(done.immediate().has_value(), act == Act::write_immediate);
        }
    }
}

bool Survivor::all_ended() const {
    for (const auto& [id, status] : outstanding_) {
        if (!status)
            return false;
    }
    return true;
}

void Survivor::await_ends() {
    // Asleep in every other round: the end must wake it.
    const Wait how = order_.number % 2 == 0 ? Wait::block : Wait::adaptive;
    const bool ended = soon([&] {
        if (!all_ended())
            take(queue_.wait(1s, how));
        return all_ended();
    });
    EXPECT_TRUE(ended) << "victim " << order_.number << ": not everything ended";
    EXPECT_TRUE(soon([&] {
        take(queue_.poll());
        return pair_.state() == QueuePair::State::closed ||
               pair_.state() == QueuePair::State::refused;
    })) << "victim "
        << order_.number << ": the queue pair is not in error";
    EXPECT_FALSE(pair_.post_send(memory_.slice(kSource, kSmall), 15).has_value());
}

void Survivor::mourn() {
    if (pair_.raw() != nullptr) {
        if (met_)
            await_ends();
        else
            EXPECT_EQ(pair_.state(), QueuePair::State::idle);
        take(queue_.poll());
        pair_.close();
    }
    check_figures();
    check_memory();
    if (static_cast<Act>(order_.act) == Act::append)
        check_log();
    bystander_.exchange(memory_);
}

bool Survivor::arrived(std::uint64_t n) const {
    const auto found = outstanding_.find(order_.number * 16 + n);
    return found != outstanding_.end() && found->second == Status::success;
}

// Every byte: a message, a part of one that did not count, or as it was.
void Survivor::check_memory() {
    const Act act = static_cast<Act>(order_.act);
    const auto look = [&](std::size_t offset, std::size_t size, bool whole) {
        const auto bytes = memory_.bytes().subspan(offset, size);
        if (whole)
            EXPECT_TRUE(is_message(bytes, order_.number)) << order_.number << ": wrong bytes";
        else
            EXPECT_TRUE(is_part_of_message(bytes, order_.number, kGuard))
                << order_.number << ": bytes that nobody has sent";
        std::memset(bytes.data(), static_cast<int>(kGuard), size);
    };
    std::memset(memory_.data() + kHello, static_cast<int>(kGuard), hello_size());
    if (act == Act::send_small || act == Act::send_large || act == Act::send_gather ||
        act == Act::send_again)
        look(kFirst, act == Act::send_small ? kSmall : kLarge, arrived(kFirstId));
    if (act == Act::write_immediate)
        look(kWindow, kLarge, arrived(kFirstId));
    EXPECT_FALSE(arrived(kSecondId)) << "a message that nobody sent";
    EXPECT_TRUE(is_message(memory_.slice(kSource, kLarge).bytes(), kOwn))
        << "what was only read has changed";
    std::size_t changed = 0;
    for (std::size_t i = 0; i < kMemory; ++i)
        changed += memory_.data()[i] != kGuard ? 1 : 0;
    EXPECT_EQ(changed, kLarge) << "something was written beside the targets";
}

void Survivor::check_log() {
    if (direct())
        check_records();
    else
        check_bare_log();
    if (std::max(reader_->offset(), log_end_) + 4 * test::kRecord > kLog)
        renew_log();
}

void Survivor::check_records() {
    (void)reader_->close();  // of a writer that is known to be dead
    bystander_.append(log_.remote());
    int theirs = 0;
    int others = 0;
    while (const auto record = reader_->next()) {
        theirs += is_message(*record, order_.number) ? 1 : 0;
        others += is_message(*record, kOwn + bystander_.rounds) ? 1 : 0;
        EXPECT_EQ(record->size(), test::kRecord);
    }
    EXPECT_FALSE(reader_->blocked());
    EXPECT_LE(theirs, 1);
    EXPECT_EQ(others, 1) << "victim " << order_.number << ": the log is not usable any more";
}

void Survivor::check_bare_log() {
    const std::uint64_t end = log_.append_offset().value();
    const auto bytes = log_.bytes().subspan(log_end_, test::kRecord);
    if (end == log_end_)
        EXPECT_TRUE(is_part_of_message(bytes, order_.number, std::byte{0}));
    else
        EXPECT_TRUE(end == log_end_ + test::kRecord && is_message(bytes, order_.number))
            << "victim " << order_.number << ": from " << log_end_ << " to " << end;
    bystander_.append(log_.remote());
    EXPECT_TRUE(is_message(log_.bytes().subspan(end, test::kRecord), kOwn + bystander_.rounds));
    log_end_ = log_.append_offset().value();
    EXPECT_EQ(log_end_, end + test::kRecord);
}

Survivor::Figures Survivor::figures() const {
    Figures now;
    // First: the question for the rest costs the adapter descriptors for a while.
    now.adapter = holdings_of(adapter_.pid());
    const auto take_row = [](const void* data, std::size_t size, void* user) {
        abi::AdapterRow row{};
        std::memcpy(&row, data, std::min(size, sizeof row));
        auto& figures = *static_cast<Figures*>(user);
        figures.partitions = row.partitions;
        figures.queue_pairs = row.queue_pairs;
        figures.regions = row.regions;
        figures.registered_bytes = row.registered_bytes;
    };
    EXPECT_EQ(cw_stats(adapter_.socket().c_str(),
                       static_cast<std::uint32_t>(abi::StatsKind::adapter), take_row, &now),
              CW_OK)
        << cw_error_text();
    now.files = open_files();
    now.mappings = shared_mappings();
    return now;
}

void Survivor::check_figures() {
    Figures now;
    const bool same = soon([&] {
        now = figures();
        if (now != before_)
            ::usleep(300);
        return now == before_;
    });
    EXPECT_TRUE(same) << "victim " << order_.number << " left behind: " << now.text()
                      << "; before: " << before_.text();
}

Killer::Report Survivor::outlive(Killer& killer, Act act, std::uint64_t number,
                                 std::uint64_t after) {
    Killer::Order wanted = order(act, number);
    wanted.after = after;
    begin(wanted);
    killer.order(wanted);
    const auto living = [] { return false; };
    if (is_connected(act))
        meet(living);
    if (!killer.wait_until_ready())
        ADD_FAILURE() << "victim " << number << " ended before its act";
    if (act == Act::accept)
        meet(living);
    killer.go();
    if (act == Act::connect)
        meet([&] { return killer.has_news(); });
    attend([&] { return killer.has_news(); });
    const Killer::Report report = killer.report();
    EXPECT_EQ(report.status, 0) << "victim " << number << " ended by itself";
    mourn();
    return report;
}

}  // namespace causeway::test
