// A running adapter takes a new configuration: what stays allowed loses nothing, what does not is
// cut off.
#include <gtest/gtest.h>

#include <atomic>
#include <causeway/causeway.hpp>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>

#include "support/command.hpp"
#include "support/configured_adapter.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr char kPartitions[] =
    "[partition.left]\n[partition.right]\n[partition.far]\n"
    "[[allow]]\nname = \"stays\"\nfrom = \"left\"\nto = \"right\"\noperations = \"all\"\n"
    "mutual = true\nexecutor = \"direct\"\n";
constexpr char kGoes[] =
    "[[allow]]\nname = \"goes\"\nfrom = \"left\"\nto = \"far\"\noperations = \"all\"\n"
    "mutual = true\nexecutor = \"direct\"\n";

// One end: numbered messages go from one to the other, each answered.
struct End {
    End(Partition& partition, const char* executor)
        : memory(partition.allocate(64 << 10, Access::exportable).value()),
          queue(partition.create_completion_queue(64).value()),
          pair(partition.create_queue_pair({.completions = queue, .executor = executor}).value()) {}
    Region memory;
    CompletionQueue queue;
    QueuePair pair;
};

// A pair under load in two threads, until it ends or is told to.
class Load {
public:
    Load(Partition& from, Partition& to, const std::string& target, const char* executor)
        : here_(from, executor), there_(to, executor) {
        Listener listener = to.listen(executor).value();
        here_.pair.connect(target + "/" + executor, 0ns).value();
        listener.accept(there_.pair, 10s).value();
        for (int i = 0; i < 500 && here_.pair.state() != QueuePair::State::connected; ++i)
            (void)here_.queue.wait(10ms);
        echo_ = std::thread([this] { answer(); });
        asks_ = std::thread([this] { ask(); });
    }
    ~Load() { stop(); }
    void stop() {
        stopping_ = true;
        for (std::thread* thread : {&asks_, &echo_}) {
            if (thread->joinable())
                thread->join();
        }
    }
    [[nodiscard]] std::uint64_t rounds() const { return rounds_; }
    [[nodiscard]] bool wrong() const { return wrong_; }
    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] Clock::time_point ended_at() const { return ended_at_; }

private:
    void ask() {
        for (std::uint64_t number = 1; !stopping_; ++number) {
            std::memcpy(here_.memory.data(), &number, sizeof number);
            if (!here_.pair.post_receive(here_.memory.slice(4096, 64), 1) ||
                !here_.pair.post_send(here_.memory.slice(0, 64), 2, {.signaled = false}) ||
                !await(here_))
                break;
            std::uint64_t got = 0;
            std::memcpy(&got, here_.memory.data() + 4096, sizeof got);
            wrong_ = wrong_ || got != number;
            ++rounds_;
        }
        ended_at_ = Clock::now();
        ended_ = true;
    }
    void answer() {
        for (;;) {
            if (!there_.pair.post_receive(there_.memory.slice(0, 64), 1) || !await(there_) ||
                !there_.pair.post_send(there_.memory.slice(0, 64), 2, {.signaled = false}))
                return;
        }
    }
    // The next message; false: the connection has ended, or the test has.
    bool await(End& end) {
        while (!ended_) {
            for (const Completion& done : end.queue.wait(5ms))
                return done.ok();
            if (end.pair.state() != QueuePair::State::connected)
                return false;
        }
        return false;
    }

    End here_, there_;
    std::atomic<bool> stopping_{false}, wrong_{false}, ended_{false};
    std::atomic<std::uint64_t> rounds_{0};
    std::atomic<Clock::time_point> ended_at_{};
    std::thread echo_, asks_;
};

std::string reload(const std::string& socket) {
    std::string said;
    const int code = cw_reload(
        socket.c_str(),
        [](const char* text, void* user) {
            static_cast<std::string*>(user)->append(text).append("\n");
        },
        &said);
    return code == CW_OK ? said : std::string("error: ") + cw_error_text();
}

class ConfigApply : public testing::TestWithParam<const char*> {};

TEST_P(ConfigApply, CutsWhatIsNotAllowedAnyMoreAndNothingElse) {
    const char* const executor = GetParam();
    ConfiguredAdapter configured(std::string(kPartitions) + kGoes);
    Partition left = Partition::attach("", {.socket = configured.socket("left")}).value();
    Partition right = Partition::attach("", {.socket = configured.socket("right")}).value();
    Partition far = Partition::attach("", {.socket = configured.socket("far")}).value();
    Load stays(left, right, "right", executor);
    Load goes(left, far, "far", executor);
    ASSERT_TRUE(eventually([&] { return stays.rounds() > 0 && goes.rounds() > 0; }));

    configured.write(kPartitions);
    const auto before = Clock::now();
    EXPECT_NE(reload(configured.socket()).find("goes"), std::string::npos);
    ASSERT_TRUE(eventually([&] { return goes.ended(); }));
    std::printf("%s: cut off %.1f ms after it was asked for\n", executor,
                std::chrono::duration<double, std::milli>(goes.ended_at() - before).count());
    EXPECT_FALSE(goes.wrong());

    const std::uint64_t then = stays.rounds();
    EXPECT_TRUE(eventually([&] { return stays.rounds() > then + 100 || stays.ended(); }));
    EXPECT_FALSE(stays.ended());
    EXPECT_FALSE(stays.wrong());
    EXPECT_NE(configured.audited().find(R"("event":"cut")"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Executors, ConfigApply, testing::Values("adapter", "direct"),
                         [](const auto& executor) { return std::string(executor.param); });

TEST(ConfigReload, AFileWithMistakesChangesNothing) {
    ConfiguredAdapter configured("[partition.left]\n");
    Partition left = Partition::attach("", {.socket = configured.socket("left")}).value();
    configured.write("[partition.right]\nwait = 1\n");
    const std::string said = reload(configured.socket());
    EXPECT_NE(said.find(":2:"), std::string::npos) << said;
    EXPECT_TRUE(left.allocate(4096).has_value());
    EXPECT_FALSE(Partition::attach("", {.socket = configured.socket("right")}).has_value());
}

TEST(ConfigReload, PartitionsComeAndGo) {
    ConfiguredAdapter configured("[partition.left]\n[partition.old]\nquota.max_regions = 1\n");
    Partition left = Partition::attach("", {.socket = configured.socket("left")}).value();
    Partition old =
        Partition::attach("", {.socket = configured.socket("old"), .adapter_patience = 0ns})
            .value();
    const Region one = old.allocate(4096).value();
    EXPECT_EQ(old.allocate(4096).error().code, ErrorCode::limit_reached);
    configured.write("[partition.left]\n[partition.old]\nquota.max_regions = 2\n");
    EXPECT_NE(reload(configured.socket()).find("old"), std::string::npos);
    EXPECT_TRUE(old.allocate(4096).has_value());
    configured.write("[partition.left]\n[partition.fresh]\n");
    (void)reload(configured.socket());
    EXPECT_FALSE(old.allocate(4096).has_value());
    EXPECT_TRUE(left.allocate(4096).has_value());
    EXPECT_TRUE(Partition::attach("", {.socket = configured.socket("fresh")}).has_value());
    EXPECT_FALSE(Partition::attach("", {.socket = configured.socket("old")}).has_value());
    // Only by the open entrance.
    EXPECT_NE(reload(configured.socket("left")).find("open entrance"), std::string::npos);
}

TEST(ConfigReload, WithoutAFileThereIsNothingToRead) {
    const TestAdapter plain;
    EXPECT_NE(reload(plain.socket()).find("--config"), std::string::npos);
}

}  // namespace
}  // namespace causeway::test
