// Worker: the thread for what takes the kernel long: populating memory and giving it back.
//
// Threading: post() from any thread; jobs run on the worker's own thread.
//
// Invariants:
//  1. A job does its work in steps; after each one the next job has its turn, so that nobody waits
//     for another's gigabytes.
//  2. Jobs that are left when the worker stops are dropped unfinished; what they own goes with
//     them.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace causeway::adapter {

class Worker {
public:
    enum class Progress { more, finished };
    using Job = std::function<Progress()>;

    Worker();
    ~Worker();  // stops and joins
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void post(Job job);

private:
    void run();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Job> jobs_;
    bool stopping_ = false;
    std::thread thread_;  // last: it uses everything above
};

}  // namespace causeway::adapter
