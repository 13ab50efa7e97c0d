#include "support/direct_victim.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "support/random.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kAreas = 8;  // connections that have memory at a time
constexpr std::uint32_t kArea = DirectVictim::kSlots * DirectVictim::kSlot;
constexpr std::size_t kMostAttackers = 4;
constexpr std::uint64_t kAnswer = 100;    // ids of answers; below: receives
constexpr std::uint64_t kProvoked = 200;  // ids of what nobody asked for
constexpr std::uint64_t kPatienceNs = 60'000'000'000;

const char* const kDoors[3] = {"door", "friends", "plain"};

bool holds(std::span<const std::byte> bytes, std::uint64_t seed) {
    std::vector<std::byte> expected(bytes.size());
    Random(seed).fill(expected);
    return std::memcmp(expected.data(), bytes.data(), bytes.size()) == 0;
}

}  // namespace

struct DirectVictim::Connection {
    QueuePair pair;
    Kind kind;
    std::uint32_t area;
    bool told = false;  // that it has ended
};

DirectVictim::DirectVictim(const std::string& socket)
    : partition_(Partition::attach("victim", {socket}).value()),
      queue_(partition_.create_completion_queue(1024).value()),
      arena_(partition_.allocate(std::size_t{kAreas} * kArea, Access::exportable).value()),
      window_(partition_
                  .allocate(64 << 10, Access::exportable | Access::remote_write |
                                          Access::remote_read | Access::append)
                  .value()),
      plain_(partition_.allocate(kArea).value()),
      secret_(partition_.allocate(64 << 10).value()),
      door_(partition_.listen(kDoors[0], 64).value()),
      friends_(partition_.listen(kDoors[1]).value()),
      plain_door_(partition_.listen(kDoors[2]).value()) {
    Random(3).fill(secret_.bytes());
    thread_ = std::thread([this] {
        try {
            run();
        } catch (const std::exception& error) {
            trouble_ = error.what();
            failed_.store(true);
        }
    });
}

DirectVictim::~DirectVictim() { stop(); }

void DirectVictim::stop() {
    stop_.store(true);
    if (thread_.joinable())
        thread_.join();
}

void DirectVictim::aim(const Remote& target) {
    const std::lock_guard lock(lock_);
    target_ = target;
}

std::string DirectVictim::check() const {
    if (failed_.load())
        return trouble_;
    return holds(secret_.bytes(), 3) ? "" : "the secret was changed";
}

void DirectVictim::run() {
    while (!stop_.load()) {
        accept(Kind::attacker, door_);
        accept(Kind::friendly, friends_);
        accept(Kind::plain, plain_door_);
        // Asleep between two messages: whatever rings must wake it, and the next bell as well.
        for (const Completion& done : queue_.wait(2ms, Wait::block))
            serve(done);
        for (Connection& connection : connections_)
            provoke(connection);
        drop_closed();
        rounds_.fetch_add(1);
    }
}

void DirectVictim::accept(Kind kind, Listener& listener) {
    std::optional<QueuePair>& idle = idle_[static_cast<int>(kind)];
    if (!idle) {
        QueuePairOptions options{.completions = queue_};
        options.send_entries = 16;
        options.receive_entries = 4;
        options.patience = Patience::fail();
        options.executor = kind == Kind::plain ? "adapter" : "direct";
        idle = partition_.create_queue_pair(options).value();
    }
    const auto accepted = listener.accept(*idle, 0ns);
    if (!accepted.has_value()) {
        // A connection that failed half way leaves a queue pair that is used up.
        if (idle->state() != QueuePair::State::idle)
            idle.reset();
        return;
    }
    // Two areas are the friend's; attackers have the others in turn.
    const std::uint32_t area = kind == Kind::attacker ? 2 + next_area_++ % (kAreas - 2) : 0;
    auto& list = kind == Kind::attacker ? connections_ : friendly_;
    list.push_back({std::move(*idle), kind, area});
    idle.reset();
    Connection& connection = list.back();
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
        const Region& memory = kind == Kind::plain ? plain_ : arena_;
        (void)connection.pair.post_receive(memory.slice(area * kArea + slot * kSlot, kSlot), slot);
    }
    if (kind == Kind::attacker)
        accepted_.fetch_add(1);
}

void DirectVictim::serve(const Completion& done) {
    const auto find = [&](std::deque<Connection>& list) -> Connection* {
        const auto found = std::find_if(list.begin(), list.end(), [&](const Connection& one) {
            return one.pair.raw() == done.queue_pair();
        });
        return found == list.end() ? nullptr : &*found;
    };
    Connection* connection = find(friendly_);
    if (connection == nullptr)
        connection = find(connections_);
    if (connection == nullptr)
        return;
    const bool attacker = connection->kind == Kind::attacker;
    const Region& memory = connection->kind == Kind::plain ? plain_ : arena_;
    const auto slice_of = [&](std::uint64_t slot, std::uint32_t length) {
        return memory.slice(connection->area * kArea + slot * kSlot, length);
    };
    if (done.id() < kSlots) {
        const bool message = done.ok() && done.opcode() == Opcode::receive;
        if (message && done.length() > kSlot)
            throw std::runtime_error("a message longer than its room came");
        if (attacker && message)
            received_.fetch_add(1);
        if (!message ||
            !connection->pair.post_send(slice_of(done.id(), done.length()), kAnswer + done.id()))
            (void)connection->pair.post_receive(slice_of(done.id(), kSlot), done.id());
        return;
    }
    if (attacker)
        (done.ok() ? sent_ : failed_sends_).fetch_add(1);
    if (done.id() < kProvoked)
        (void)connection->pair.post_receive(slice_of(done.id() - kAnswer, kSlot),
                                            done.id() - kAnswer);
}

void DirectVictim::provoke(Connection& connection) {
    std::optional<Remote> target;
    {
        const std::lock_guard lock(lock_);
        target = target_;
    }
    if (!target || connection.pair.state() != QueuePair::State::connected)
        return;
    const Slice large = window_.slice(0, 16 << 10);
    switch (provoked_++ % 5) {
        case 0:
            (void)connection.pair.post_write(large, *target, kProvoked);
            break;
        case 1:
            (void)connection.pair.post_read(large, *target, kProvoked);
            break;
        case 2:
            (void)connection.pair.post_append(window_.slice(0, 100), *target, kProvoked);
            break;
        case 3:
            (void)connection.pair.post_send(large, kProvoked);
            break;
        default:
            (void)connection.pair.post_send(window_.slice(0, 24), kProvoked);
    }
}

void DirectVictim::drop_closed() {
    for (Connection& connection : connections_) {
        if (!connection.told && connection.pair.state() == QueuePair::State::closed) {
            connection.told = true;
            closed_.fetch_add(1);
        }
    }
    while (connections_.size() > kMostAttackers ||
           (!connections_.empty() && connections_.front().told))
        connections_.pop_front();
}

// --- the friend

DirectFriend::DirectFriend(const std::string& socket, const std::string& name, const char* executor)
    : rounds_("the friend", [this, socket, name, how = std::string(executor)](Rounds& rounds) {
          run(rounds, socket, name, how);
      }) {}

void DirectFriend::run(Rounds& rounds, const std::string& socket, const std::string& name,
                       const std::string& executor) {
    const bool direct = executor == "direct";
    auto partition = Partition::attach(name, {socket}).value();
    auto queue = partition.create_completion_queue(64).value();
    constexpr std::uint32_t kLarge = 20'000;
    auto memory =
        partition.allocate(2 * kLarge, direct ? Access::exportable : Access::local).value();
    QueuePairOptions options{.completions = queue};
    options.executor = executor.c_str();
    auto pair = partition.create_queue_pair(options).value();
    pair.connect(direct ? "victim/friends" : "victim/plain", 30s).value();
    if (pair.executor() != executor)
        throw std::runtime_error("connected by " + std::string(pair.executor()));
    for (std::uint64_t n = 1; !rounds.stopping(); ++n) {
        const std::uint32_t size = n % 2 == 0 ? kLarge : 24;
        const Slice out = memory.slice(0, size);
        const Slice back = memory.slice(kLarge, size);
        Random(n).fill(out.bytes());
        std::memset(back.data(), 0, size);
        pair.post_receive(back, 1).value();
        pair.post_send(out, 2).value();
        for (std::uint64_t ended = 0; ended != 3;) {
            const CompletionBatch batch =
                queue.wait(std::chrono::nanoseconds(kPatienceNs), Wait::block);
            if (batch.empty())
                throw std::runtime_error("nothing completes any more");
            for (const Completion& done : batch) {
                if (!done.ok())
                    throw std::runtime_error("a descriptor ended " +
                                             std::string(causeway::name(done.status())));
                ended |= done.id();
            }
        }
        if (content_.load() == Content::checked && !holds(back.bytes(), n))
            throw std::runtime_error("a message came back wrong");
        rounds.next();
    }
}

}  // namespace causeway::test
