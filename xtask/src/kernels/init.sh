#!/bin/busybox sh
# The first process of a machine that `kernels/machine.rs` boots: runs each test that /tests names, in a process of its own, so that
# one that dies or hangs takes no other along. A line that begins with `::` is for xtask; all else is for people.

# In seconds. The longest takes one or two minutes where two processors are emulated; killed is what hangs.
MOST=600

/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mkdir /dev/shm
mount -t tmpfs none /dev/shm
mount -t tmpfs -o size=100% none /tmp
# What the kernel writes to the console would break our lines: it is shown where a test fails.
dmesg -n 1
export WASI_MMAP_PLUGINS=/plugins RUST_BACKTRACE=1

echo
echo "::kernel $(uname -r)"
while read -r name; do
    echo "::begin $name"
    dmesg -c > /dev/null
    # Uncaptured: what a test said that does not come to its end would be lost.
    timeout -s KILL $MOST /program "$name" --exact --nocapture > /output 2>&1 < /dev/null
    status=$?
    if [ $status != 0 ]; then
        # What it has started, and left in memory.
        kill -9 -1
        rm -rf /tmp/* /dev/shm/*
        cat /output
        echo
        dmesg | tail -n 20
    fi
    echo "::end $status"
done < /tests
echo "::done"
poweroff -f
