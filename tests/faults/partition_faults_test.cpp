// A partition dies at each of the fault points that it comes by (base/fault_point.hpp), by both
// executors where they differ; what must hold then is support/survivor.hpp's.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "base/fault_point.hpp"
#include "support/acts.hpp"
#include "support/fault_points.hpp"
#include "support/live_adapter.hpp"
#include "support/mortal.hpp"
#include "support/survivor.hpp"

namespace causeway::test {
namespace {

// Not reached: how a victim ends that has come to the end of its act.
constexpr int kAlive = 3;

// Two processes that wait for each other once.
class Gate {
public:
    Gate() {
        if (::pipe(ready_) != 0 || ::pipe(go_) != 0)
            throw std::runtime_error("pipe");
    }
    ~Gate() {
        for (const int fd : {ready_[0], ready_[1], go_[0], go_[1]})
            ::close(fd);
    }
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;
    void stand() const {
        char byte = 0;
        (void)!::write(ready_[1], &byte, 1);
        (void)!::read(go_[0], &byte, 1);
    }
    void wait() const {
        char byte = 0;
        (void)!::read(ready_[0], &byte, 1);
    }
    void open() const { (void)!::write(go_[1], "", 1); }

private:
    int ready_[2]{};
    int go_[2]{};
};

class PartitionFaults : public testing::TestWithParam<PartitionFault> {};

TEST_P(PartitionFaults, LeaveNothingBehind) {
    const PartitionFault& fault = GetParam();
    const LiveAdapter adapter(LiveAdapter::Kind::program);
    Survivor survivor(adapter, fault.executor);
    for (std::uint64_t number = 1; number <= 3; ++number) {
        const Killer::Order order = survivor.order(fault.act, number);
        survivor.begin(order);
        int status = -1;
        {
            const Gate gate;
            bool first = true;
            const std::function<void()> mark = [&] {
                if (!std::exchange(first, false))
                    ::_exit(kAlive);
                gate.stand();
                fault::arm(fault.point);
            };
            Mortal victim([&] { perform(adapter.socket(), fault.executor, order, mark); });
            const auto living = [] { return false; };
            bool reaped = false;
            const auto died = [&] {
                if (!reaped && victim.ended()) {
                    status = victim.reap();
                    reaped = true;
                }
                return reaped;
            };
            if (is_connected(fault.act))
                survivor.meet(living);
            gate.wait();
            if (fault.act == Act::accept)
                survivor.meet(living);
            gate.open();
            if (fault.act == Act::connect)
                survivor.meet(died);
            survivor.attend(died);
        }
        survivor.mourn();
        ASSERT_EQ(status, 128 + SIGKILL) << "victim " << number << " never came by " << fault.point;
        ASSERT_FALSE(HasFailure());
    }
}

INSTANTIATE_TEST_SUITE_P(Points, PartitionFaults, testing::ValuesIn(kPartitionFaults),
                         [](const testing::TestParamInfo<PartitionFault>& instance) {
                             return test_name(instance.param.point) + "_" +
                                    instance.param.executor + "_" + name_of(instance.param.act);
                         });

}  // namespace
}  // namespace causeway::test
