// The adapter is killed after a number of instructions of the thread that executes a descriptor or
// answers a request. What its clients are promised then stands in settle(), where they do not wait
// for the next one, and in go_on(), where they do.
//
// CAUSEWAY_KILL_EVERY and CAUSEWAY_KILL_SEED as in stepped_partition_test.cpp; each place costs a
// new adapter.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <causeway/causeway.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <tuple>

#include "platform/cpu.hpp"
#include "support/acts.hpp"
#include "support/live_adapter.hpp"
#include "support/places.hpp"
#include "support/stepper.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

constexpr std::byte kBefore{0xa4};
constexpr std::size_t kTarget = 1 << 13;  // offset in the receiver's memory
constexpr std::uint64_t kLongest = 40'000;
constexpr Access kOpen = Access::exportable | Access::remote_write | Access::remote_read;

// Two partitions that are connected, and what they have outstanding.
class Clients {
public:
    Clients(const std::string& socket, std::chrono::nanoseconds patience)
        : a(Partition::attach("a", {socket, patience}).value()),
          b(Partition::attach("b", {socket, patience}).value()),
          from(a.allocate(1 << 15, kOpen).value()),
          to(b.allocate(1 << 15, kOpen).value()),
          log(b.allocate(1 << 15, Access::append).value()),
          a_queue(a.create_completion_queue(64).value()),
          b_queue(b.create_completion_queue(64).value()),
          a_pair(a.create_queue_pair({.completions = a_queue, .executor = "adapter"}).value()),
          b_pair(b.create_queue_pair({.completions = b_queue, .executor = "adapter"}).value()),
          listener(b.listen("door").value()) {
        a_pair.connect("b/door", 0ns).value();
        listener.accept(b_pair, 30s).value();
        fill_message(from.bytes().first(kLarge), 1);
        std::memset(to.data(), static_cast<int>(kBefore), to.size());
    }

    void post(Act act) {
        const Slice whole = from.slice(0, act == Act::send_small ? kSmall : kLarge);
        if (act == Act::send_small || act == Act::send_large || act == Act::write_immediate) {
            b_pair.post_receive(to.slice(kTarget, kLarge), 2).value();
            b_left.insert(2);
        }
        const Result<void> posted =
            act == Act::write_immediate
                ? a_pair.post_write(whole, to.remote(kTarget), 1, Immediate{kImmediate})
            : act == Act::read   ? a_pair.post_read(whole, to.remote(kTarget), 1)
            : act == Act::append ? a_pair.post_append(whole, log.remote(), 1)
                                 : a_pair.post_send(whole, 1);
        posted.value();
        a_left.insert(1);
    }
    // Takes what has ended; whether all has.
    bool collect() {
        take(a_queue.poll(), a_left);
        take(b_queue.poll(), b_left);
        return a_left.empty() && b_left.empty();
    }
    // The adapter is dead: each descriptor ends once, and what ended well is whole.
    void settle(Act act) {
        while (!a_left.empty())
            ASSERT_TRUE(take(a_queue.wait(30s), a_left)) << "a descriptor does not end";
        while (!b_left.empty())
            ASSERT_TRUE(take(b_queue.wait(30s), b_left)) << "a receive does not end";
        const CompletionBatch after = a_queue.wait(30s);
        EXPECT_EQ(after.error(), ErrorCode::adapter_gone) << name(after.error());
        EXPECT_TRUE(after.empty());
        check_bytes(act);
    }
    // The next adapter is there: everything ends, and well.
    void go_on(Act act) {
        for (int waited = 0; waited < 30'000 && !collect(); ++waited)
            ::usleep(1000);
        EXPECT_TRUE(a_left.empty() && b_left.empty()) << "a descriptor does not end";
        EXPECT_EQ(failed, 0);
        check_bytes(act);
    }

    Partition a, b;
    Region from, to, log;
    CompletionQueue a_queue, b_queue;
    QueuePair a_pair, b_pair;
    Listener listener;
    std::set<std::uint64_t> a_left, b_left, ended_well;
    int failed = 0;

private:
    void check_bytes(Act act) {
        if (act == Act::read)
            return;  // into its own memory, from what is all alike
        const std::uint32_t size = act == Act::send_small ? kSmall : kLarge;
        const Region& target = act == Act::append ? log : to;
        const std::size_t offset = act == Act::append ? 0 : kTarget;
        const std::byte before = act == Act::append ? std::byte{0} : kBefore;
        const bool whole = ended_well.count(act == Act::append ? 1 : 2) != 0;
        for (std::size_t i = 0; i < target.size(); ++i) {
            const std::byte found = target.data()[i];
            const bool inside = i >= offset && i < offset + size;
            const std::byte sent = inside ? std::byte{byte_of(1, i - offset)} : before;
            ASSERT_TRUE(found == sent || (found == before && !whole)) << "byte " << i;
        }
    }
    bool take(const CompletionBatch& batch, std::set<std::uint64_t>& left) {
        for (const Completion& done : batch) {
            EXPECT_EQ(left.erase(done.id()), 1u) << "ended twice, or was not posted: " << done.id();
            EXPECT_TRUE(done.ok() || done.status() == Status::flushed) << name(done.status());
            if (done.ok())
                ended_well.insert(done.id());
            else
                ++failed;
        }
        return !batch.empty();
    }
};

pid_t thread_of(pid_t process, const std::string& wanted) {
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
        std::ifstream file(task.path() / "comm");
        std::string comm;
        if (std::getline(file, comm) && comm == wanted)
            return std::stoi(task.path().filename().string());
    }
    throw std::runtime_error("the adapter has no thread " + wanted);
}

// A thread of the adapter, held at an instruction.
class Held {
public:
    explicit Held(pid_t thread) : thread_(thread), stepper_(thread) {
        // As in support/killer.cpp: on one processor.
        const unsigned core = platform::allowed_cpus().back();
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(core, &set);
        (void)::sched_setaffinity(thread, sizeof set, &set);
        int status = 0;
        if (::ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) != 0 ||
            ::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) != 0 ||
            ::waitpid(thread, &status, __WALL) != thread || !WIFSTOPPED(status))
            throw std::runtime_error("the adapter cannot be traced");
    }
    // As far as `done` allows, `most` instructions at most; how many they were.
    std::uint64_t step(std::uint64_t most, const std::function<bool()>& done) {
        std::uint64_t count = 0;
        while (count < most && !done()) {
            EXPECT_EQ(stepper_.step(), Stepper::Stop::place);
            ++count;
        }
        return count;
    }
    void kill(LiveAdapter& adapter) {
        ::kill(adapter.pid(), SIGKILL);
        if (thread_ != adapter.pid())
            ::waitpid(thread_, nullptr, __WALL);
        adapter.kill();
    }

private:
    pid_t thread_;
    Stepper stepper_;
};

// After it the clients find that it has gone, or go on with the next one.
enum class Then { settle, go_on };

class SteppedAdapter : public testing::TestWithParam<std::tuple<Act, Then>> {
protected:
    static constexpr std::chrono::nanoseconds patience(Then then) {
        return then == Then::go_on ? 60s : 0s;
    }
    static void outlive(LiveAdapter& adapter, Clients& clients, Act act, Then then) {
        if (then == Then::settle)
            clients.settle(act);
        adapter.start_again();
        if (then == Then::go_on)
            clients.go_on(act);
    }
    void SetUp() override {
        if (!can_step())
            GTEST_SKIP() << "single steps are not to be had here (ptrace)";
        (void)platform::pin_thread(platform::allowed_cpus().back());
    }
};

// While a mover executes a descriptor.
using SteppedMover = SteppedAdapter;

TEST_P(SteppedMover, DiesAtAnyInstruction) {
    const auto [act, then] = GetParam();
    LiveAdapter adapter(LiveAdapter::Kind::program);
    const auto run = [&, act = act, then = then](std::uint64_t after) {
        Clients clients(adapter.socket(), patience(then));
        Held mover(thread_of(adapter.pid(), "cw-mover-0"));
        clients.post(act);
        const std::uint64_t steps = after == Places::kAll
                                        ? mover.step(kLongest, [&] { return clients.collect(); })
                                        : mover.step(after, [] { return false; });
        mover.kill(adapter);
        outlive(adapter, clients, act, then);
        return steps;
    };
    Places places(run(Places::kAll));
    while (!HasFailure() && places.next())
        run(places.place());
    places.say(std::string("mover ") + name_of(act));
}

std::string name_of_instance(const testing::TestParamInfo<SteppedAdapter::ParamType>& instance) {
    return std::string(name_of(std::get<0>(instance.param))) +
           (std::get<1>(instance.param) == Then::go_on ? "_and_goes_on" : "");
}

INSTANTIATE_TEST_SUITE_P(Descriptors, SteppedMover,
                         testing::Combine(testing::Values(Act::send_small, Act::send_large,
                                                          Act::write_immediate, Act::read,
                                                          Act::append),
                                          testing::Values(Then::settle, Then::go_on)),
                         name_of_instance);

// While the control thread answers a request.
using SteppedControl = SteppedAdapter;

TEST_P(SteppedControl, DiesAtAnyInstruction) {
    const auto [act, then] = GetParam();
    LiveAdapter adapter(LiveAdapter::Kind::program);
    const auto run = [&, act = act, then = then](std::uint64_t after) {
        Clients clients(adapter.socket(), patience(then));
        auto spare =
            clients.a.create_queue_pair({.completions = clients.a_queue, .executor = "adapter"})
                .value();
        auto other =
            clients.b.create_queue_pair({.completions = clients.b_queue, .executor = "adapter"})
                .value();
        Region memory = clients.a.allocate(4096).value();
        if (act == Act::accept)
            spare.connect("b/door", 0ns).value();
        Held control(adapter.pid());
        std::atomic<bool> answered{false};
        ErrorCode code = ErrorCode::none;
        std::thread caller([&] {
            const auto note = [&](const auto& result) {
                code = result.has_value() ? ErrorCode::none : result.error().code;
            };
            switch (act) {
                case Act::allocate:
                    note(clients.a.allocate(4096));
                    break;
                case Act::create_queue_pair:
                    note(clients.a.create_queue_pair({.completions = clients.a_queue}));
                    break;
                case Act::connect:
                    note(spare.connect("b/door", 0ns));
                    break;
                case Act::accept:
                    note(clients.listener.accept(other, 0ns));
                    break;
                case Act::deregister:
                    note(memory.close());
                    break;
                default:
                    other.close();
            }
            answered = true;
        });
        const std::uint64_t steps = after == Places::kAll
                                        ? control.step(kLongest, [&] { return answered.load(); })
                                        : control.step(after, [&] { return answered.load(); });
        control.kill(adapter);
        if (then == Then::settle) {
            caller.join();
            EXPECT_TRUE(code == ErrorCode::none || code == ErrorCode::adapter_gone) << name(code);
            clients.settle(Act::read);
            adapter.start_again();
            return steps;
        }
        adapter.start_again();
        while (!answered)
            (void)clients.collect();  // whoever makes no call does not come back
        caller.join();
        // Who connects or accepts without waiting may be told that the other one is not back.
        const auto says = [](Partition& partition) {
            const auto processed = partition.process_events();
            return processed.has_value() ? std::string() : "; " + processed.error().text;
        };
        EXPECT_TRUE(code == ErrorCode::none || code == ErrorCode::again)
            << name(code) << says(clients.a) << says(clients.b);
        clients.post(Act::send_small);
        clients.go_on(Act::send_small);
        return steps;
    };
    Places places(run(Places::kAll));
    while (!HasFailure() && places.next())
        run(places.place());
    places.say(std::string("control ") + name_of(act));
}

INSTANTIATE_TEST_SUITE_P(Requests, SteppedControl,
                         testing::Combine(testing::Values(Act::allocate, Act::create_queue_pair,
                                                          Act::connect, Act::accept,
                                                          Act::deregister, Act::disconnect),
                                          testing::Values(Then::settle, Then::go_on)),
                         name_of_instance);

}  // namespace
}  // namespace causeway::test
