// Partitions of both executors come, exchange checked data, are stopped, die or leave, while the
// adapter is killed every few seconds and started again. At the end every acknowledged byte has
// arrived, and the adapter holds what it held before.
//
// CAUSEWAY_SOAK_SECONDS: how long (`make soak`: ten minutes; otherwise a few seconds).
// CAUSEWAY_SOAK_SEED: of the choices; it is printed. The timing is the machine's.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <new>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "soak/peers.hpp"
#include "support/live_adapter.hpp"
#include "support/mortal.hpp"
#include "support/random.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kPairs = 4;  // at a time
constexpr auto kTick = 5ms;
constexpr auto kHang = 60s;
constexpr long kOwnGrowth = 4 << 10;  // KiB that the adapter's own memory may vary by

[[nodiscard]] std::uint64_t setting(const char* name, std::uint64_t otherwise) {
    const char* const given = std::getenv(name);
    return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

// Anonymous memory of a process, in KiB.
[[nodiscard]] long own_memory(pid_t pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.rfind("RssAnon:", 0) == 0)
            return std::stol(line.substr(8));
    }
    return -1;
}

[[nodiscard]] std::set<std::string> files_in(const std::string& directory) {
    std::set<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory))
        found.insert(entry.path().string());
    return found;
}

// A sender, a receiver, and what happens to them.
class Pair {
public:
    Pair(const std::string& socket, std::uint64_t number, Random& random) : chapter_(share()) {
        PairPlan plan{number, socket, random.one_in(2) ? "direct" : "adapter",
                      random.one_in(2) ? Wait::block : Wait::adaptive};
        Chapter& chapter = *chapter_;
        receiver_ = std::make_unique<Mortal>([&] { SoakReceiver(plan, chapter).live(); });
        sender_ = std::make_unique<Mortal>([&] { SoakSender(plan, chapter).live(); });
        ends_ = Clock::now() + std::chrono::milliseconds(random.between(200, 4000));
    }
    ~Pair() { ::munmap(chapter_, sizeof *chapter_); }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;

    [[nodiscard]] const Chapter& chapter() const noexcept { return *chapter_; }
    [[nodiscard]] Clock::time_point ends() const noexcept { return ends_; }
    void finish() { chapter_->finish = true; }
    void kill_one(Random& random) {
        chapter_->mourned = true;
        Mortal& one = random.one_in(2) ? *sender_ : *receiver_;
        (void)one.kill();
        killed_ = true;
    }
    void stop_one(Random& random) {
        if (stopped_ > 0)
            return;
        stopped_ = (random.one_in(2) ? sender_ : receiver_)->pid();
        if (stopped_ > 0 && ::kill(stopped_, SIGSTOP) == 0)
            continues_ = Clock::now() + std::chrono::milliseconds(random.between(5, 400));
    }
    void let_go_on() {
        if (stopped_ > 0 && Clock::now() >= continues_) {
            ::kill(stopped_, SIGCONT);
            stopped_ = 0;
        }
    }
    // Have both ended? Then what they have said fits together.
    [[nodiscard]] bool over() {
        if (!ended(*sender_) || !ended(*receiver_)) {
            const std::uint64_t seen = chapter_->verified + chapter_->completed;
            if (seen != seen_ || stopped_ > 0) {
                seen_ = seen;
                moved_ = Clock::now();
            }
            EXPECT_LT(Clock::now() - moved_, kHang) << "a pair hangs";
            return false;
        }
        for (Mortal* one : {sender_.get(), receiver_.get()}) {
            if (one->pid() > 0) {
                EXPECT_EQ(one->reap(), 0);
            }
        }
        EXPECT_FALSE(chapter_->complained) << chapter_->complaint;
        EXPECT_LE(chapter_->acknowledged, chapter_->verified);
        if (!killed_) {
            EXPECT_EQ(chapter_->total, chapter_->verified);
            EXPECT_EQ(chapter_->total, chapter_->completed);
        }
        return true;
    }

private:
    static Chapter* share() {
        void* const memory = ::mmap(nullptr, sizeof(Chapter), PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            throw std::bad_alloc();
        return new (memory) Chapter{};
    }
    [[nodiscard]] static bool ended(const Mortal& one) { return one.pid() <= 0 || one.ended(); }

    Chapter* chapter_;
    std::unique_ptr<Mortal> receiver_, sender_;
    Clock::time_point ends_;
    pid_t stopped_ = 0;
    Clock::time_point continues_;
    std::uint64_t seen_ = 0;
    Clock::time_point moved_ = Clock::now();
    bool killed_ = false;
};

class Soak {
public:
    Soak() : random_(seed_), adapter_(LiveAdapter::Kind::program, {"named"}) {
        std::printf("CAUSEWAY_SOAK_SEED=%llu\n", static_cast<unsigned long long>(seed_));
    }
    void run() {
        warm_up();
        const auto length = std::chrono::seconds(setting("CAUSEWAY_SOAK_SECONDS", 5));
        const auto begin = Clock::now();
        auto dies = next_death();
        // The last fifth without deaths of the adapter: what one holds after much is seen.
        for (auto now = begin; now < begin + length && !testing::Test::HasFailure();
             now = Clock::now()) {
            while (pairs_.size() < kPairs)
                pairs_.push_back(std::make_unique<Pair>(adapter_.socket(), ++started_, random_));
            happen(now);
            if (now > dies && now < begin + length * 4 / 5) {
                adapter_.kill();
                ::usleep(static_cast<useconds_t>(random_.below(200'000)));
                adapter_.start_again();
                ++adapters_;
                dies = next_death();
            }
            report(now - begin);
        }
        drain();
        say();
        compare();
    }

private:
    [[nodiscard]] Clock::time_point next_death() {
        return Clock::now() + std::chrono::milliseconds(random_.between(200, 2000));
    }
    // What an adapter holds once it has served both executors.
    void warm_up() {
        for (int i = 0; i < 4; ++i)
            pairs_.push_back(std::make_unique<Pair>(adapter_.socket(), ++started_, random_));
        ::usleep(300'000);
        drain();
        before_ = adapter_.settled();
        memory_ = own_memory(adapter_.pid());
        files_ = files_in(adapter_.directory());
    }
    void happen(Clock::time_point now) {
        if (random_.one_in(60)) {
            pairs_[random_.below(pairs_.size())]->kill_one(random_);
            ++deaths_;
        }
        if (random_.one_in(40)) {
            pairs_[random_.below(pairs_.size())]->stop_one(random_);
            ++stops_;
        }
        for (auto& pair : pairs_) {
            pair->let_go_on();
            if (now > pair->ends())
                pair->finish();
        }
        bury();
        ::usleep(std::chrono::microseconds(kTick).count());
    }
    void bury() {
        for (std::size_t i = 0; i < pairs_.size();) {
            if (!pairs_[i]->over()) {
                ++i;
                continue;
            }
            bytes_ += pairs_[i]->chapter().bytes;
            messages_ += pairs_[i]->chapter().verified;
            pairs_.erase(pairs_.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
    void drain() {
        for (auto& pair : pairs_)
            pair->finish();
        while (!pairs_.empty() && !testing::Test::HasFailure()) {
            for (auto& pair : pairs_)
                pair->let_go_on();
            bury();
            ::usleep(std::chrono::microseconds(kTick).count());
        }
    }
    void report(Clock::duration passed) {
        if (passed < reported_ + 10s)
            return;
        reported_ = passed;
        std::printf("%4lld s: ",
                    static_cast<long long>(
                        std::chrono::duration_cast<std::chrono::seconds>(passed).count()));
        say();
    }
    void say() const {
        std::printf(
            "%llu pairs, %llu messages and %.1f GB checked, %d partitions killed, %d "
            "stopped, the adapter killed %d times\n",
            static_cast<unsigned long long>(started_), static_cast<unsigned long long>(messages_),
            static_cast<double>(bytes_) / 1e9, deaths_, stops_, adapters_);
        std::fflush(stdout);
    }
    void compare() const {
        EXPECT_TRUE(adapter_.alive());
        const Holdings after = adapter_.settled_to(before_);
        EXPECT_EQ(after, before_) << text_of(after) << " at the end, " << text_of(before_)
                                  << " at the beginning";
        const long memory = own_memory(adapter_.pid());
        std::printf("the adapter's own memory: %ld KiB at the beginning, %ld KiB at the end\n",
                    memory_, memory);
        EXPECT_LT(memory, memory_ + kOwnGrowth);
        EXPECT_EQ(files_in(adapter_.directory()), files_);
    }

    const std::uint64_t seed_ = setting("CAUSEWAY_SOAK_SEED", std::random_device()());
    Random random_;
    LiveAdapter adapter_;
    std::vector<std::unique_ptr<Pair>> pairs_;
    Holdings before_;
    long memory_ = 0;
    std::set<std::string> files_;
    Clock::duration reported_{};
    std::uint64_t started_ = 0, messages_ = 0, bytes_ = 0;
    int deaths_ = 0, stops_ = 0, adapters_ = 0;
};

TEST(SoakSerial, EverythingComesAndGoes) { Soak().run(); }

}  // namespace
}  // namespace causeway::test
