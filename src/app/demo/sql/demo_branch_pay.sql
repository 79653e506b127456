-- Workload: book on a branch: few rows, so sessions wait for each other. $1 branch, $2 amount.
UPDATE branch SET balance = balance + $2 WHERE id = $1
