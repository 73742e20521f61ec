#!/bin/busybox sh
# The first process of the machine that `kernels/machine.rs` boots. It runs each test that /tests names in a process of
# its own, so that a test that dies or hangs does not affect the others. Lines that begin with `::` are for xtask, all
# others for people.

# The time limit of a test in seconds. The longest takes one or two minutes on two emulated processors.
MOST=600

/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mkdir /dev/shm
mount -t tmpfs none /dev/shm
mount -t tmpfs -o size=100% none /tmp
# Messages of the kernel would break our lines. They are shown when a test fails.
dmesg -n 1
export WASI_MMAP_PLUGINS=/plugins RUST_BACKTRACE=1

echo
echo "::kernel $(uname -r)"
while read -r name; do
    echo "::begin $name"
    dmesg -c > /dev/null
    # Without capturing, or the output of a test that hangs would be lost.
    timeout -s KILL $MOST /program "$name" --exact --nocapture > /output 2>&1 < /dev/null
    status=$?
    if [ $status != 0 ]; then
        # Kill what the test has started, and free its memory.
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
