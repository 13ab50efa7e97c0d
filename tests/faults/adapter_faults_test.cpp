// The adapter dies at each of the fault points that it comes by, while two partitions register,
// connect and exchange. Without patience every call says that it has gone, every descriptor ends
// exactly once, nothing but what was sent is written, and a new adapter serves in the same
// directory. With patience the next one goes on where it died, and everything succeeds.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <causeway/causeway.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <thread>

#include "support/fault_points.hpp"
#include "support/in_process_adapter.hpp"
#include "support/live_adapter.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

constexpr std::byte kBefore{0xa4};
constexpr std::uint64_t kNumber = 7;

// Thrown where a call says that the adapter is no more.
struct Gone {};

template<typename T>
T must(Result<T> result) {
    if (result.has_value()) {
        if constexpr (std::is_void_v<T>)
            return;
        else
            return std::move(*result);
    }
    const ErrorCode code = result.error().code;
    EXPECT_TRUE(code == ErrorCode::adapter_gone || code == ErrorCode::no_adapter ||
                code == ErrorCode::peer_gone)
        << name(code) << ": " << result.error().text;
    throw Gone();
}

class AtEnd {
public:
    explicit AtEnd(std::function<void()> what) : what_(std::move(what)) {}
    AtEnd(const AtEnd&) = delete;
    AtEnd& operator=(const AtEnd&) = delete;
    ~AtEnd() { what_(); }

private:
    std::function<void()> what_;
};

// What two partitions do until the adapter dies, and what of it is outstanding then.
class Exchange {
public:
    Exchange(std::string socket, const char* executor, std::chrono::nanoseconds patience = 0ns)
        : options_{std::move(socket), patience}, executor_(executor) {}

    // Whether all of it was done.
    bool run() try {
        constexpr Access kOpen = Access::exportable | Access::remote_write | Access::remote_read;
        a_ = must(Partition::attach("a", options_));
        b_ = must(Partition::attach("b", options_));
        from_ = must(a_.allocate(64 << 10, kOpen));
        to_ = must(b_.allocate(64 << 10, kOpen));
        log_ = must(b_.allocate(64 << 10, Access::append));
        records_ = must(b_.allocate(64 << 10, Access::append | Access::exportable));
        fill_message(from_.bytes().first(kLarge), kNumber);
        std::memset(to_.data(), static_cast<int>(kBefore), to_.size());
        a_queue_ = must(a_.create_completion_queue(64));
        b_queue_ = must(b_.create_completion_queue(64));
        QueuePairOptions options{.completions = a_queue_};
        options.executor = executor_;
        a_pair_ = must(a_.create_queue_pair(options));
        QueuePairOptions others{.completions = b_queue_};
        others.executor = executor_;
        b_pair_ = must(b_.create_queue_pair(others));
        auto door = must(b_.listen("door"));
        connect(door);
        const Slice whole = from_.slice(0, kLarge);
        const Slice halves[] = {from_.slice(0, kLarge / 2), from_.slice(kLarge / 2, kLarge / 2)};
        receive(0);
        receive(1);
        posted(a_left_, a_pair_.post_send(whole, 0), 0);
        posted(a_left_, a_pair_.post_send(halves, 1), 1);
        posted(a_left_, a_pair_.post_write(whole, to_.remote(at(2)), 2), 2);
        posted(a_left_, a_pair_.post_append(whole, records_.remote(), 3), 3);
        if (std::string(executor_) == "adapter")
            posted(a_left_, a_pair_.post_append(whole, log_.remote(), 4), 4);
        await();
        must(from_.close());
        return true;
    } catch (const Gone&) {
        return false;
    }

    // After it: everything that was posted, once each.
    void settle() {
        for (const auto& [queue, left] : {std::pair(&a_queue_, &a_left_), {&b_queue_, &b_left_}}) {
            while (!left->empty()) {
                const CompletionBatch batch = queue->wait(30s);
                ASSERT_FALSE(batch.empty()) << left->size() << " descriptors did not end";
                take(batch, *left);
            }
        }
        if (to_.raw() != nullptr && !fresh()) {
            for (std::uint64_t window = 0; window < 3; ++window) {
                const auto bytes = to_.bytes().subspan(at(window), kLarge);
                for (std::size_t i = 0; i < bytes.size(); ++i) {
                    ASSERT_TRUE(bytes[i] == kBefore || bytes[i] == std::byte{byte_of(kNumber, i)})
                        << "byte " << i << " of window " << window;
                    if (whole_.count(window) != 0) {
                        ASSERT_NE(bytes[i], kBefore) << i;
                    }
                }
            }
        }
    }

    // Descriptors that ended otherwise than with success.
    [[nodiscard]] int failures() const noexcept { return failures_; }

private:
    void connect(Listener& door) {
        // A partition comes back to the next adapter inside its own calls.
        std::atomic<bool> done{false};
        std::thread calls([&] {
            while (!done) {
                for (Partition* partition : {&a_, &b_})
                    (void)partition->process_events();
                ::usleep(1000);
            }
        });
        const AtEnd join([&] {
            done = true;
            calls.join();
        });
        Result<void> asked = a_pair_.connect("b/door", 0ns);
        while (!asked.has_value() && asked.error().code == ErrorCode::again) {
            ::usleep(1000);
            asked = a_pair_.connect("b/door", 0ns);
        }
        must(std::move(asked));
        must(door.accept(b_pair_, 30s));
    }
    static std::size_t at(std::uint64_t window) { return (window * 3 + 1) << 12; }
    // Not even filled yet?
    [[nodiscard]] bool fresh() const { return to_.data()[0] == std::byte{0}; }
    void receive(std::uint64_t window) {
        posted(b_left_, b_pair_.post_receive(to_.slice(at(window), kLarge), window), window);
    }
    static void posted(std::set<std::uint64_t>& left, Result<void> result, std::uint64_t id) {
        must(std::move(result));
        left.insert(id);
    }
    void take(const CompletionBatch& batch, std::set<std::uint64_t>& left) {
        for (const Completion& done : batch) {
            EXPECT_EQ(left.erase(done.id()), 1u) << "ended twice, or was not posted: " << done.id();
            EXPECT_TRUE(done.ok() || done.status() == Status::flushed) << name(done.status());
            failures_ += done.ok() ? 0 : 1;
            const bool write = &left == &a_left_ && done.id() == 2;
            if (done.ok() && (write || &left == &b_left_))
                whole_.insert(done.id());
        }
    }
    void await() {
        while (!a_left_.empty() || !b_left_.empty()) {
            for (const auto& [queue, left] :
                 {std::pair(&a_queue_, &a_left_), {&b_queue_, &b_left_}}) {
                const CompletionBatch batch = queue->wait(1ms);
                if (batch.error() != ErrorCode::none)
                    throw Gone();
                take(batch, *left);
            }
        }
    }

    AttachOptions options_;
    const char* executor_;
    Partition a_, b_;
    Region from_, to_, log_, records_;
    CompletionQueue a_queue_, b_queue_;
    QueuePair a_pair_, b_pair_;
    int failures_ = 0;
    std::set<std::uint64_t> a_left_, b_left_;  // outstanding
    std::set<std::uint64_t> whole_;            // windows of `to_` that must hold all of it
};

class AdapterFaults : public testing::TestWithParam<AdapterFault> {};

TEST_P(AdapterFaults, EndEverythingOnce) {
    const AdapterFault& fault = GetParam();
    ::setenv("CAUSEWAY_FAULT", fault.point, 1);
    LiveAdapter adapter(LiveAdapter::Kind::faults);
    ::unsetenv("CAUSEWAY_FAULT");
    {
        Exchange exchange(adapter.socket(), fault.executor);
        exchange.run();
        // Its connections may end before it has.
        ASSERT_TRUE(eventually([&] { return !adapter.alive(); }))
            << "nobody came by " << fault.point;
        exchange.settle();
    }
    adapter.kill();
    adapter.start_again();
    Exchange again(adapter.socket(), fault.executor);
    EXPECT_TRUE(again.run());
    again.settle();
    EXPECT_TRUE(adapter.alive());
}

TEST_P(AdapterFaults, AreGoneOnFrom) {
    const AdapterFault& fault = GetParam();
    ::setenv("CAUSEWAY_FAULT", fault.point, 1);
    LiveAdapter adapter(LiveAdapter::Kind::faults);
    ::unsetenv("CAUSEWAY_FAULT");
    Exchange exchange(adapter.socket(), fault.executor, 60s);
    std::atomic<bool> done{false};
    std::thread running([&] {
        // A direct connection that was being made needs another queue pair.
        EXPECT_TRUE(exchange.run() || std::string(fault.executor) == "direct");
        exchange.settle();
        done = true;
    });
    // It may die behind the last descriptor, or when that was taken.
    EXPECT_TRUE(eventually([&] { return !adapter.alive(); })) << "nobody came by " << fault.point;
    adapter.kill();
    adapter.start_again();
    EXPECT_TRUE(eventually([&] { return done.load(); })) << "it hangs";
    running.join();
    EXPECT_EQ(exchange.failures(), 0);
}

INSTANTIATE_TEST_SUITE_P(Points, AdapterFaults, testing::ValuesIn(kAdapterFaults),
                         [](const testing::TestParamInfo<AdapterFault>& instance) {
                             return test_name(instance.param.point) + "_" + instance.param.executor;
                         });

// Every point that stands in the sources is in a table, by its name.
TEST(FaultPoints, AreAllTried) {
    std::set<std::string> tried;
    for (const PartitionFault& fault : kPartitionFaults)
        tried.insert(fault.point);
    for (const AdapterFault& fault : kAdapterFaults)
        tried.insert(fault.point);
    const char* const source = std::getenv("CAUSEWAY_SOURCE");
    ASSERT_NE(source, nullptr);
    std::set<std::string> standing;
    const std::string call = "CAUSEWAY_FAULT_POINT(\"";
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(std::string(source) + "/src")) {
        std::ifstream file(entry.path());
        for (std::string line; std::getline(file, line);) {
            const std::size_t found = line.find(call);
            if (found == std::string::npos)
                continue;
            EXPECT_EQ(entry.path().extension(), ".cpp") << "a point in a header: " << entry.path();
            const std::size_t begin = found + call.size();
            standing.insert(line.substr(begin, line.find('"', begin) - begin));
        }
    }
    EXPECT_EQ(standing, tried);
}

// Neither the library nor the daemon knows of any.
TEST(FaultPoints, AreNotShipped) {
    const char* const lib = std::getenv("CAUSEWAY_LIB");
    ASSERT_NE(lib, nullptr);
    const auto holds = [](const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        EXPECT_TRUE(file.good()) << path;
        const std::string bytes((std::istreambuf_iterator<char>(file)), {});
        return bytes.find("engine.send.taken") != std::string::npos ||
               bytes.find("CAUSEWAY_FAULT") != std::string::npos;
    };
    EXPECT_TRUE(holds(program_path("causewayd_faults")));
    EXPECT_FALSE(holds(program_path("causewayd")));
    EXPECT_FALSE(holds(std::string(lib) + "/libcauseway.so.1"));
}

}  // namespace
}  // namespace causeway::test
