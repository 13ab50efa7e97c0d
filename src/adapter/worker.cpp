#include "adapter/worker.hpp"

#include <pthread.h>

#include <utility>

namespace causeway::adapter {

Worker::Worker() : thread_([this] { run(); }) {
    ::pthread_setname_np(thread_.native_handle(), "cw-worker");
}

Worker::~Worker() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void Worker::post(Job job) {
    {
        const std::lock_guard lock(mutex_);
        jobs_.push_back(std::move(job));
    }
    changed_.notify_one();
}

void Worker::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
        if (stopping_)
            return;
        Job job = std::move(jobs_.front());
        jobs_.pop_front();
        lock.unlock();
        const Progress progress = job();
        if (progress == Progress::finished)
            job = nullptr;  // what it owns goes before the lock is taken
        lock.lock();
        if (progress == Progress::more)
            jobs_.push_back(std::move(job));
    }
}

}  // namespace causeway::adapter
