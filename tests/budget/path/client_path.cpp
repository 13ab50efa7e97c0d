// The path through the library: two partitions of one process, and an adapter in another.
//
// With executor adapter the counted part is what the library does: posting, and taking completions
// that are there. In between, uncounted, the completions' own lines are watched, so that waiting
// for the adapter costs nothing that is counted.
#include <algorithm>
#include <causeway/causeway.hpp>
#include <chrono>
#include <cstring>
#include <optional>

#include "budget/path/path.hpp"
#include "platform/cpu.hpp"
#include "support/live_adapter.hpp"

namespace causeway::test {
namespace {

constexpr std::uint32_t kEntries = 64;  // of each queue
constexpr std::uint32_t kReceives = 32;
constexpr std::size_t kPage = 4096;
constexpr auto kPatience = std::chrono::seconds(20);

[[nodiscard]] std::size_t log_size(const PathOptions& options) {
    // Records have a header and begin on a line of their own.
    const std::uint64_t all = (options.messages + 1) * (options.size + 2 * abi::kCacheLine);
    return (all + kPage - 1) / kPage * kPage;
}

struct Party {
    Partition partition;
    CompletionQueue queue;
    Region memory;
    Region log;
    QueuePair pair;
    std::vector<QueuePair> idle;

    Party(const std::string& name, const std::string& socket, const PathOptions& options)
        : partition(Partition::attach(name, {.socket = socket}).value()),
          queue(partition.create_completion_queue(256).value()),
          memory(partition
                     .allocate(kPage + options.size,
                               Access::remote_write | Access::remote_read | Access::exportable)
                     .value()),
          log(partition.allocate(log_size(options), Access::append | Access::exportable).value()),
          pair(make_pair(options)) {}

    [[nodiscard]] QueuePair make_pair(const PathOptions& options) {
        QueuePairOptions terms{.completions = queue};
        terms.send_entries = terms.receive_entries = kEntries;
        terms.executor = options.executor.c_str();
        return partition.create_queue_pair(terms).value();
    }
};

// The first words of a ring's entries: a completion is there when one of them has changed.
class RingWatch {
public:
    explicit RingWatch(std::span<const std::byte> entries)
        : entries_(entries), before_(entries.size() / abi::kCacheLine) {}

    void remember() {
        for (std::size_t i = 0; i < before_.size(); ++i)
            before_[i] = first_word(i);
    }
    [[nodiscard]] bool changed() const {
        for (std::size_t i = 0; i < before_.size(); ++i) {
            if (first_word(i) != before_[i])
                return true;
        }
        return false;
    }

private:
    [[nodiscard]] std::uint64_t first_word(std::size_t i) const {
        return __atomic_load_n(
            reinterpret_cast<const std::uint64_t*>(&entries_[i * abi::kCacheLine]),
            __ATOMIC_ACQUIRE);
    }
    std::span<const std::byte> entries_;
    std::vector<std::uint64_t> before_;
};

// The adapter on one core and this thread on another, where there are two: on one core the mover
// would find the partition waiting, and sleep, at every message.
class ElsewhereAdapter {
public:
    ElsewhereAdapter() {
        const std::vector<unsigned> cores = platform::allowed_cpus();
        pin(cores.back());
        adapter_.emplace(LiveAdapter::Kind::program);
        pin(cores.front());
    }
    [[nodiscard]] const LiveAdapter& operator*() const { return *adapter_; }

private:
    static void pin(unsigned core) { need(platform::pin_thread(core).has_value(), "pinning"); }

    std::optional<LiveAdapter> adapter_;
};

class ClientPath final : public Path {
public:
    explicit ClientPath(const PathOptions& options)
        : options_(options),
          a_("a", (*adapter_).socket(), options),
          b_("b", (*adapter_).socket(), options) {
        Listener listener = b_.partition.listen("s").value();
        connect(listener, a_.pair, b_.pair);
        for (std::uint32_t i = 0; i < options.idle_pairs; ++i) {
            a_.idle.push_back(a_.make_pair(options));
            b_.idle.push_back(b_.make_pair(options));
            connect(listener, a_.idle.back(), b_.idle.back());
        }
        out_ = a_.memory.slice(0, options.size);
        // Room for what travels inside a completion, as a receiver that does not know what comes.
        in_ = b_.memory.slice(0, std::max(options.size, abi::kMaxInline));
        for (std::uint32_t i = 0; i < kReceives; ++i)
            b_.pair.post_receive(in_, i).value();
        remote_ = options.operation == "append" ? b_.log.remote() : b_.memory.remote();
        use_idle_pairs();
        if (options.executor == "adapter")
            watch_completions();
    }

    void prepare(std::uint64_t i) override {
        arrived_ = options_.operation != "send";
        sent_ = !options_.signaled;
        std::memcpy(source().data(), &i, std::min<std::size_t>(sizeof i, options_.size));
        if (options_.asleep) {
            while (b_.queue.arm()) {
                for (const Completion& c : b_.queue.poll())
                    need(c.ok(), "something else came before the message");
            }
        }
        for (RingWatch& watch : watches_)
            watch.remember();
    }

    void run(std::uint64_t i, const Marks& marks) override {
        marks.begin();
        post(i);
        if (!watches_.empty()) {
            marks.end();
            await_completions();
            marks.begin();
        }
        while (!sent_ || !arrived_) {
            if (!arrived_)
                take_receive();
            if (!sent_)
                take_send();
        }
        marks.end();
    }

    void finish(std::uint64_t i) override {
        if (!options_.signaled && options_.operation != "send")
            need(b_.queue.poll().empty(), "a completion that nobody asked for");
        std::uint64_t first = 0;
        const std::span<std::byte> target = this->target();
        std::memcpy(&first, target.data(), std::min(sizeof first, target.size()));
        need(options_.size < sizeof i || first == i, "another message than this one arrived");
        need(std::memcmp(target.data(), source().data(), options_.size) == 0, "a wrong byte");
    }

    std::vector<QueueMemory> queue_memory() override { return mapped_queue_memory(); }
    std::span<std::byte> source() override {
        return (options_.operation == "read" ? in_ : out_).bytes().first(options_.size);
    }
    pid_t adapter() const override { return (*adapter_).pid(); }

private:
    [[nodiscard]] std::span<std::byte> target() {
        if (options_.operation == "read")
            return out_.bytes();
        if (options_.operation == "append")
            return b_.log.bytes().subspan(offset_, options_.size);
        return in_.bytes().first(options_.size);
    }

    void connect(Listener& listener, QueuePair& from, QueuePair& to) const {
        const auto begun = from.connect("b/s", std::chrono::seconds(0));
        need(begun || begun.error().code == ErrorCode::timed_out, "no connection");
        listener.accept(to, kPatience).value();
        while (from.state() == QueuePair::State::connecting) {}
        need(from.executor() == options_.executor, "another executor was chosen");
    }

    // A message over each, then so many empty polls that all of them have gone cold.
    void use_idle_pairs() {
        std::vector<bool> seen(options_.idle_pairs);
        for (std::uint32_t i = 0; i < options_.idle_pairs; ++i) {
            b_.idle[i].post_receive(b_.memory.slice(0, 8), 1000 + i).value();
            std::memcpy(a_.memory.data(), &i, sizeof i);
            a_.idle[i].post_send(a_.memory.slice(0, 8), i).value();
            bool sent = false;
            bool arrived = false;
            const auto deadline = std::chrono::steady_clock::now() + kPatience;
            while (!sent || !arrived) {
                for (const Completion& c : a_.queue.poll()) {
                    need(c.ok() && c.id() == i, "an idle pair's message was not sent");
                    sent = true;
                }
                for (const Completion& c : b_.queue.poll()) {
                    need(c.ok() && c.id() == 1000 + i &&
                             std::memcmp(b_.memory.data(), &i, sizeof i) == 0,
                         "an idle pair's message did not arrive");
                    arrived = true;
                }
                need(std::chrono::steady_clock::now() < deadline, "an idle pair moves nothing");
            }
        }
        for (std::uint32_t i = 0; options_.idle_pairs != 0 && i < 4096; ++i) {
            need(a_.queue.poll().empty() && b_.queue.poll().empty(), "a completion out of nowhere");
        }
    }

    void watch_completions() {
        for (const QueueMemory& memory : mapped_queue_memory()) {
            const abi::QueuePairOffsets at = abi::queue_pair_offsets(memory.shape);
            if (memory.name == "a" && options_.signaled) {
                watches_.emplace_back(memory.bytes.subspan(
                    at.send_completions, at.receive_completions - at.send_completions));
            }
            if (memory.name == "b" && options_.operation == "send") {
                watches_.emplace_back(memory.bytes.subspan(
                    at.receive_completions,
                    std::size_t{memory.shape.receive_completion_entries} * abi::kCacheLine));
            }
        }
    }
    void await_completions() {
        const auto deadline = std::chrono::steady_clock::now() + kPatience;
        for (const RingWatch& watch : watches_) {
            while (!watch.changed())
                need(std::chrono::steady_clock::now() < deadline, "the adapter moves nothing");
        }
    }

    void post(std::uint64_t i) {
        const PostOptions how{.signaled = options_.signaled};
        bool posted = false;
        if (options_.operation == "send") {
            posted = a_.pair.post_send(out_, i, how).has_value();
        } else if (options_.operation == "write") {
            posted = a_.pair.post_write(out_, remote_, i, how).has_value();
        } else if (options_.operation == "read") {
            posted = a_.pair.post_read(out_, remote_, i, how).has_value();
        } else {
            posted = a_.pair.post_append(out_, remote_, i, how).has_value();
        }
        need(posted, "a post was refused");
    }
    [[nodiscard]] CompletionBatch take(CompletionQueue& queue) const {
        return options_.waits ? queue.wait(kPatience) : queue.poll();
    }
    void take_receive() {
        for (const Completion& c : take(b_.queue)) {
            need(c.ok() && c.length() == options_.size, "a message did not arrive");
            arrived_ = true;
            need(b_.pair.post_receive(in_, c.id()).has_value(), "a receive was refused");
        }
    }
    void take_send() {
        for (const Completion& c : take(a_.queue)) {
            need(c.ok(), "a message was not sent");
            offset_ = c.offset();
            sent_ = true;
        }
    }

    PathOptions options_;
    ElsewhereAdapter adapter_;
    Party a_;
    Party b_;
    Slice out_{};
    Slice in_{};
    Remote remote_{};
    std::vector<RingWatch> watches_;
    std::uint64_t offset_ = 0;
    bool sent_ = false;
    bool arrived_ = false;
};

}  // namespace

std::unique_ptr<Path> make_client_path(const PathOptions& options) {
    return std::make_unique<ClientPath>(options);
}

}  // namespace causeway::test
