-- Which collector delivers a group is asked anew. No parameters.
DELETE FROM ts_owner
