#!/bin/bash
# sbatch slurm.sh: two nodes, one process for each of their four GPUs. JAX finds the processes from Slurm's variables.
#SBATCH --job-name=jaxkeras
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=01:00:00
#SBATCH --requeue

set -euo pipefail
srun --kill-on-bad-exit=1 python train.py
