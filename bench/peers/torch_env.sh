# Settings under which Debian's PyTorch 1.13 is at its best on a current x86; source it before train_torch.py.
# Packages: python3-torch libopenblas0-openmp.

# OpenBLAS with OpenMP shares the thread pool of ATen and oneDNN; its pthread build would fight them for the cores.
export LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu/openblas-openmp${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

# OpenBLAS 0.3.21 does not know Zen 5 and ATen stays with AVX2 unless told: name the AVX-512 kernels where the CPU has them.
if grep -qw avx512f /proc/cpuinfo; then
  export OPENBLAS_CORETYPE=SkylakeX ATEN_CPU_CAPABILITY=avx512
fi

# Keep freed memory: otherwise glibc maps and unmaps every large tensor, and page faults cost up to half of a step.
export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=17179869184 MALLOC_TOP_PAD_=67108864
# Back it by huge pages.
export GLIBC_TUNABLES=glibc.malloc.hugetlb=1
